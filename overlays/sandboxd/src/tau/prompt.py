"""Ask the user at their terminal, so that nobody else can answer.

What an app has written must not disguise the question, and what was typed before it was read is no answer to it: the
app's output is held back meanwhile, keys are thrown away until the question has stood for a moment, and an answer is a
letter and Enter. An app has a terminal of its own, and can't type here.
"""

import contextlib
import os
import select
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tau.agent import DISMISSED, ELSEWHERE, Agent, Question
from tau.columns import wrapped
from tau.decisions import DECISIONS, Scope
from tau.findings import printable
from tau.folders import PICKED
from tau.helper import nodes
from tau.permissions import PERMISSIONS
from tau.user_folders import FolderError

#: Ends whatever an app has begun (ECMA-48: CAN, ST; printing, a picture that is held back), takes its colours, palette,
#: margins, character sets, insert mode and hidden cursor back (DEC's soft reset, then each by itself for terminals that
#: have none), begins a line, and clears what is below.
_RESET = (
    "\x18\x1b\\\x1b[4i\x1b[?2026l\x1b[!p\x1b7\x1b[r\x1b8\x1b[4l\x1b[?7h\x1b[0m\x1b(B\x0f\x1b[?25h{palette}\r\n\x1b[J"
)
#: On xterm and its like, and on the Linux console (console_codes(4)), where it has no end.
_PALETTE, _LINUX_PALETTE = "\x1b]104\x07\x1b]110\x07\x1b]111\x07", "\x1b]R"
#: Seconds that a question stands before keys count.
_PAUSE = 0.7
#: Most characters of what an app wants to reach.
_MOST_SHOWN = 400
#: How often something else than an answer may be typed.
_ATTEMPTS = 3
Ends = Mapping[int, Callable[[], bool]]
#: The letters, and what each is for sandboxd.
ANSWERS = {
    "o": "allow-once",
    "s": "allow-session",
    "a": "allow-always",
    "n": "deny-once",
    "v": "deny-always",
    "": DISMISSED,
}
#: Who writes the word means the letter.
_WORDS = {"once": "o", "always": "a", "no": "n", "never": "v"}
_CHOICES = """\
  o  once: as long as it runs      n  no: as long as it runs
  s  until you log out             v  never
  a  always                        Enter alone: not now
"""
_OTHER = "That is none of them. One letter, o, s, a, n or v, and Enter; or Enter alone.\n"


def ask(question: Question, agent: Agent, ends: Ends | None = None) -> str:
    """Return the user's word; empty when the question is over before there is one.

    :param ends: descriptors, and what says, when one can be read, whether the question is dismissed by that: the app
        has ended, or its user has.
    """
    with contextlib.suppress(OSError), _terminal() as terminal:
        return _Dialogue(terminal, question, agent, ends or {}).word()
    return ELSEWHERE


def text(question: Question, terminal: int) -> str:
    """Return the question as the user reads it: nothing of what others wrote is obeyed by the terminal."""
    known = PERMISSIONS.get(question.permission)
    wants = known.plain if known else question.permission
    if known and known.nodes and not nodes.of(question.permission):
        wants += " (there is none now)"
    detail = printable(question.detail)
    if len(detail) > _MOST_SHOWN:  # whose a name is, is said at its end
        detail = f"{detail[: _MOST_SHOWN // 4]} ... {detail[-_MOST_SHOWN * 3 // 4 :]}"
    detail = f": {detail}" if detail else ""
    asked = wrapped(f"{question.app} wants to {wants}{detail}", terminal)
    return f"Tau OS asks:\n{asked}\n{_CHOICES}"


@contextlib.contextmanager
def _terminal() -> Iterator[int]:
    """The terminal of the session, in the state that a question needs.

    :raises OSError: when there is none, or others have it now.
    """
    terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():
            raise BlockingIOError
        saved = termios.tcgetattr(terminal)
        if not saved[3] & termios.ECHO or not saved[3] & termios.ICANON:
            raise BlockingIOError  # another in the pipeline asks for a password there, or takes each key
        try:
            yield terminal
        finally:
            if os.tcgetpgrp(terminal) == os.getpgrp():
                termios.tcsetattr(terminal, termios.TCSAFLUSH, saved)
    except termios.error as error:
        raise OSError(*error.args) from None
    finally:
        os.close(terminal)


class _Dialogue:
    def __init__(self, terminal: int, question: Question, agent: Agent, ends: Ends) -> None:
        self._terminal = terminal
        self._question = question
        self._agent = agent
        self._ends = ends

    def word(self) -> str:
        self._set(echo=False)
        palette = _LINUX_PALETTE if os.environ.get("TERM") == "linux" else _PALETTE
        self._write(_RESET.format(palette=palette) + text(self._question, self._terminal))
        over = self._wait(_PAUSE, keys=False)
        if over is not None:
            return over
        self._set(echo=True)
        for _ in range(_ATTEMPTS):
            self._write("Your answer: ")
            over = self._wait(None, keys=True)
            if over is not None:
                self._write("\n")
                return over
            line = os.read(self._terminal, 256).decode(errors="replace").strip().lower()
            word = ANSWERS.get(_WORDS.get(line, line))
            if word is None:
                self._write(_OTHER)
            else:
                if word.startswith("allow") and _picks(self._question) and not self._pick():
                    break
                self._write(f"{_said(word)}\n")
                return word
        self._write("Not now.\n")
        return DISMISSED

    def _pick(self) -> bool:
        """Have the user name the folder that they give; whether they have."""
        for _ in range(_ATTEMPTS):
            self._write("Which folder? ~/")
            if self._wait(None, keys=True) is not None:
                return False
            line = os.read(self._terminal, 4096).decode(errors="replace").strip()
            if not line:
                return False
            try:
                self._agent.pick(self._question.app, line)
                return True
            except FolderError as error:
                self._write(printable(f"{line}: {error}") + "\n")
        return False

    def _set(self, *, echo: bool) -> None:
        """Lines, and the keys that end a program; what was typed until now is thrown away."""
        mode: list[Any] = termios.tcgetattr(self._terminal)
        mode[0] |= termios.ICRNL
        mode[1] |= termios.OPOST | termios.ONLCR
        mode[3] = mode[3] & ~termios.ECHO | termios.ICANON | termios.ISIG | (termios.ECHO if echo else 0)
        termios.tcsetattr(self._terminal, termios.TCSAFLUSH, mode)

    def _write(self, said: str) -> None:
        os.write(self._terminal, said.encode())

    def _wait(self, seconds: float | None, *, keys: bool) -> str | None:
        """Wait for a line, or for so long; returns what the question has become meanwhile, if it is over."""
        deadline = None if seconds is None else time.monotonic() + seconds
        poll = select.poll()
        for each in (*self._ends, *([self._terminal] if keys else [])):
            poll.register(each, select.POLLIN)
        while True:
            if self._agent.connection is None:
                return ""
            poll.register(self._agent.connection, select.POLLIN)
            left = None if deadline is None else max(0, deadline - time.monotonic()) * 1000
            ready = {descriptor for descriptor, _ in poll.poll(left)}
            if not ready:
                return None
            if self._agent.connection.fileno() in ready:
                poll.unregister(self._agent.connection)
                if self._agent.is_over(self._question):
                    self._write("(no longer asked: it was answered elsewhere, or two minutes are over)\n")
                    return ""
            if any(over() for descriptor, over in self._ends.items() if descriptor in ready):
                return DISMISSED
            if self._terminal in ready:
                return None


def _picks(question: Question) -> bool:
    """Whether a yes is about a folder that is still to be named."""
    known = PERMISSIONS.get(question.permission)
    return known is not None and PICKED in known.folders


def _said(word: str) -> str:
    decision = DECISIONS.get(word)
    if decision is None:
        return "Not now."
    if decision.allowed:
        return f"Allowed: {decision.scope.plain}."
    return "Never." if decision.scope == Scope.ALWAYS else f"Not allowed: {decision.scope.plain}."
