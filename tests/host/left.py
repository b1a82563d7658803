"""What a command that has ended may have left on this host: processes, mounts, loop devices, half-written files."""

import contextlib
import ctypes
import os
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
#: Seconds that a process which was killed may take to be gone, on a busy machine.
_PATIENCE = 20


class Left:
    """Looks for what is left of commands that work below `root` and are started after this was made.

    Orphans come to this process, wherever they have hidden (prctl(2), PR_SET_CHILD_SUBREAPER).
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._before = _children()

    def behind(self) -> list[str]:
        """Everything that is left, in words."""
        end = time.monotonic() + _PATIENCE
        while (processes := self._processes()) and time.monotonic() < end:
            time.sleep(0.1)
        return processes + self._mounts() + self._loops() + self._files()

    def _processes(self) -> list[str]:
        found = []
        for number in _children() - self._before:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(number, os.WNOHANG)[0] == number:
                    continue  # had ended, and only waited to be collected
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(f"process {number}: {words}")
        return found

    def _mounts(self) -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [f"mount: {line}" for line in lines if str(self._root) in line]

    def _loops(self) -> list[str]:
        found = []
        for file in Path("/sys/block").glob("loop*/loop/backing_file"):
            with contextlib.suppress(OSError):
                if str(self._root) in (text := file.read_text()):
                    found.append(f"{file.parent.parent.name}: {text}")
        return found

    def _files(self) -> list[str]:
        """Half-written ones, and mkosi's workspaces and outputs."""
        names = ("*.new", "workspace", "mkosi-workspace*", "output")
        below = [self._root / "dist", self._root / "build", self._root / "cache"]
        return [f"file: {path}" for base in below for name in names for path in base.rglob(name)]


def _children() -> set[int]:
    found: set[int] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(int(word) for word in path.read_text().split())
    return found
