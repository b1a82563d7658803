"""Child processes that can't outlive the harness, however it ends."""

import subprocess
import time
from pathlib import Path

# The pipe on standard input is held by this process alone: when it ends, even by SIGKILL, `cat` sees the end of file
# and the child is killed. A death signal (prctl) would not do: it is cleared when mkosi's sandbox changes credentials.
_GUARD = """
exec 9<&0 </dev/null
"$@" 9<&- & child=$!
( cat <&9 >/dev/null; kill -KILL "$child" ) >/dev/null 2>&1 & guard=$!
exec 9<&-
wait "$child"; status=$?
kill "$guard" 2>/dev/null
exit "$status"
"""


class Guarded:
    """A running child process; its output goes to a file."""

    def __init__(self, argv: list[str], log: Path) -> None:
        self.argv = argv
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", *argv], stdin=subprocess.PIPE, stdout=output, stderr=output
            )

    @property
    def pid(self) -> int:
        """The process, whose descendant the command is."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float) -> bool:
        """Wait for the end; False when it still runs after timeout seconds."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it at once, as by SIGKILL, and wait until it is gone."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        if not self.wait(10):
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Give back the pipe of a process that has ended."""
        self.kill()

    def said(self, lines: int = 3) -> str:
        """The last lines of its output, in one line."""
        if not self.log.exists():
            return ""
        text = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " | ".join(text[-lines:])

    def wait_for(self, path: Path, timeout: float) -> bool:
        """Wait until a file appears; False when the process ended first or the time is over."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if path.exists():
                return True
            if self.returncode is not None:
                return path.exists()
            time.sleep(0.02)
        return path.exists()
