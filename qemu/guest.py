"""A running system, asked by commands."""

import time

from qemu.errors import GuestSilentError
from qemu.patience import patience
from qemu.shell import Answer, Shell


class Guest:
    """A system that a shell of root's answers from."""

    def __init__(self, shell: Shell) -> None:
        """Take the shell, which may not be connected yet."""
        self.shell = shell

    def run(self, command: str, timeout: float = 120, stdin: bytes = b"") -> Answer:
        """Run a command as root in the guest and return its answer, whatever its status is."""
        return self.shell.run(command, timeout, stdin)

    def succeed(self, command: str, timeout: float = 120) -> str:
        """Run a command that must succeed and return what it printed."""
        answer = self.run(command, timeout)
        said = answer.stderr.decode(errors="replace")
        assert answer.status == 0, f"{command!r} failed with status {answer.status}:\n{answer.text}\n{said}"
        return answer.text

    def fail(self, command: str, timeout: float = 120) -> str:
        """Run a command that must fail and return both of its outputs."""
        answer = self.run(command, timeout)
        assert answer.status != 0, f"{command!r} was expected to fail, and gave:\n{answer.text}"
        return answer.text + answer.stderr.decode(errors="replace")

    def wait_until(self, command: str, timeout: float = 60) -> str:
        """Repeat a command until it succeeds and return what it printed.

        :raises GuestSilentError: when it did not within `timeout` seconds, with its last output.
        """
        timeout = patience.of(timeout)
        deadline = time.monotonic() + timeout
        while True:
            answer = self.run(command)
            if answer.status == 0:
                return answer.text
            if time.monotonic() > deadline:
                said = answer.text + answer.stderr.decode(errors="replace")
                raise GuestSilentError(f"{command!r} did not succeed within {timeout:.0f} s: {said}")
            time.sleep(0.5)
