"""Run a long program on our own terminal, and let it clean up when we are stopped."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from image.process import Interrupted

#: Seconds that a program and its children have to clean up: machines are switched off, folders removed.
_GRACE = 60


def run_attached(command: Sequence[str], cwd: Path) -> int:
    """Run `command` with our standard streams; return its exit status.

    When we are interrupted, it and its children are told by SIGTERM (not SIGINT, which is ignored in what a shell has
    put into the background), unless the same Ctrl-C has told them. What has not ended after 60 s, or at a second
    interrupt, is killed. subprocess.run would kill it at once, and pytest would leave its machines' disks behind.

    :raises KeyboardInterrupt, Interrupted: again, when it has ended.
    """
    process = subprocess.Popen(command, cwd=cwd)
    try:
        return process.wait()
    except (KeyboardInterrupt, Interrupted) as error:
        if isinstance(error, Interrupted) or not _has_terminal():
            _tell(process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt, Interrupted):
            process.wait(_GRACE)
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _has_terminal() -> bool:
    """Whether we are what a terminal tells of a Ctrl-C: then all that we have started are told (termios(3), ISIG)."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):  # no terminal; no standard input at all
        return False


def _tell(number: int) -> None:
    """Send SIGTERM to a process and to its children, who may be amid something that it waits for."""
    children = Path(f"/proc/{number}/task/{number}/children")  # proc(5)
    with contextlib.suppress(OSError):
        for child in children.read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGTERM)
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, signal.SIGTERM)
