"""A person at the serial console: logs in, types commands, answers sudo, logs out."""

import re
import secrets
import time
from collections.abc import Iterable

import pyte

from qemu.console import Console
from qemu.errors import GuestSilentError
from qemu.patience import patience

#: The first user of machines under test (the credentials that the plugin hands in).
USER = "tester"
PASSWORD = "correct horse"  # noqa: S105
_SHELL = r"[$#] $"
#: What the kernel says on this console whenever it likes, amid a line of a program's, too: it ends it, and is left out.
_KERNEL = re.compile(r"\[ *\d+\.\d{6}\] [^\n]*\n")
_ASKS = r"[Pp]assword[^\n]*: ?$"


class Terminal:
    """A login session on the serial line. One at a time."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.logged_in = False

    def prompt(self, timeout: float = 90) -> None:
        """Get to the login prompt from wherever the line is: a session is ended, a question gets an empty answer.

        A message of the kernel's that hides the prompt is no obstacle, nor is a restored snapshot.

        :raises GuestSilentError: when there is none within `timeout` seconds.
        """
        deadline = time.monotonic() + patience.of(timeout)
        typed = "\n"
        while True:
            mark = self.console.mark()
            self.console.send(typed)
            typed = "\n"
            try:
                found = self.console.expect(rf"login: $|{_ASKS}|{_SHELL}", timeout=5, since=mark)
            except GuestSilentError:
                if time.monotonic() > deadline:
                    raise
                self.console.send("\x03")  # a program is running
                time.sleep(0.5)  # an interrupt empties the terminal's queue: what comes too soon is lost (termios(3))
                continue
            self._settle()
            # login(1) itself, which asks after a refusal, takes an empty name and goes on to the password.
            if re.search(_ASKS, self.console.since(mark)):
                continue
            if found[0].startswith("login"):
                return
            typed = "exit\n"

    def _settle(self) -> None:
        """Wait until nothing has come for a moment: a prompt that is printed twice would be taken for an answer."""
        for _ in range(20):
            before = self.console.mark()
            time.sleep(0.3)
            if self.console.mark() == before:
                return

    def expect(self, pattern: str, timeout: float = 60, since: int = 0) -> re.Match[str]:
        """Wait until the line shows a regular expression after a mark of the console."""
        return self.console.expect(pattern, timeout, since)

    def answer(self, dialogue: Iterable[tuple[str, str]], since: int = 0, timeout: float = 60) -> int:
        """Answer questions in their order, from a mark of the console on; returns the mark behind the last answer.

        :param dialogue: a regular expression for each question, and the line to type when it is asked.
        :param timeout: seconds for each question.
        """
        for question, line in dialogue:
            self.console.expect(question, timeout, since)
            since = self.console.mark()
            self.console.send(f"{line}\n")
        return since

    def screen(self, since: int = 0, columns: int = 80, rows: int = 24) -> list[str]:
        """Return what a terminal that was connected since a mark shows now, line by line: for full-screen programs."""
        screen = pyte.Screen(columns, rows)
        pyte.ByteStream(screen).feed(self.console.raw_since(since))
        return [line.rstrip() for line in screen.display]

    def try_log_in(self, user: str = USER, password: str = PASSWORD, timeout: float = 60) -> bool:
        """Type a name and a password at the login prompt; returns whether a shell came."""
        self.prompt()
        mark = self.console.mark()
        self.console.send(f"{user}\n")
        self.console.expect(r"[Pp]assword[^\n]*: ?", timeout=timeout, since=mark)
        mark = self.console.mark()
        self.console.send(f"{password}\n")
        refusals = r"Login incorrect|login: $|Authentication failure"
        found = self.console.expect(f"{_SHELL}|{refusals}", timeout=timeout, since=mark)
        self.logged_in = found[0] in ("$ ", "# ")
        return self.logged_in

    def log_in(self, user: str = USER, password: str = PASSWORD) -> None:
        """Log in; a refusal is an error."""
        assert self.try_log_in(user, password), f"{user} could not log in:\n" + "\n".join(self.console.tail())

    def run(self, command: str, timeout: float = 60, answers: dict[str, str] | None = None) -> tuple[int, str]:
        """Type a command and wait for its end; returns its exit status and what it showed.

        :param answers: what to type when the output matches a regular expression; each is used once, in order.
        """
        nonce = secrets.token_hex(4)
        mark = self.console.mark()
        # What is typed is echoed, twice when the shell was not ready yet; what the shell makes of it has these marks.
        self.console.send(f'echo "<{nonce}$((1))>"; {command}; echo "<{nonce}-$?>"\n')
        begin, end = f"<{nonce}1>\n", rf"<{nonce}-(\d+)>"
        waiting = list((answers or {}).items())
        position = mark
        while True:
            patterns = [end, *(f"(?:{pattern})" for pattern, _ in waiting[:1])]
            found = self.console.expect("|".join(patterns), timeout=timeout, since=position)
            status = re.search(end, found[0])
            if status:
                shown = _KERNEL.sub("", self.console.since(mark)).partition(begin)[2]
                return int(status[1]), re.split(end, shown)[0]
            position = self.console.mark()
            self.console.send(waiting.pop(0)[1])

    def succeed(self, command: str, timeout: float = 60) -> str:
        """Type a command that must succeed; returns what it showed."""
        status, shown = self.run(command, timeout)
        assert status == 0, f"{command!r} ended with status {status}:\n{shown}"
        return shown

    def sudo(
        self,
        command: str,
        password: str = PASSWORD,
        answers: dict[str, str] | None = None,
        *,
        check: bool = True,
        timeout: float = 90,
    ) -> str:
        """Run a command with sudo, answering its prompt; returns what it showed.

        :param answers: for the command itself, as for :meth:`run`.
        """
        # -k: the answer to the prompt is the same whatever ran before.
        status, shown = self.run(f"sudo -k {command}", timeout, {_ASKS: f"{password}\n", **(answers or {})})
        assert status == 0 or not check, f"sudo {command!r} ended with status {status}:\n{shown}"
        return shown

    def log_out(self) -> None:
        """End the session, whatever it is doing, and wait for the login prompt."""
        if self.logged_in:
            self.prompt()
            self.logged_in = False
