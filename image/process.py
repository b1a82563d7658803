"""Run a long program: its output into a log, its lines to a listener, and nothing left behind when it is stopped."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from image.findings import Finding, FindingsError

#: Seconds that a program has to end by itself once it was asked to.
_GRACE = 20


class Interrupted(BaseException):
    """SIGTERM or SIGHUP came: like KeyboardInterrupt, so that every clean-up on the way out runs."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into :class:`Interrupted` within the block."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def run_logged(
    command: Sequence[str],
    *,
    what: str,
    log: Path,
    cwd: Path,
    env: Mapping[str, str],
    listen: Callable[[str], None] = lambda line: None,
) -> None:
    """Run `command` in a process group of its own, append all that it prints to `log`.

    An interrupt is passed on as SIGINT, which lets it clean up; what does not end within 20 s is killed, the whole
    group of it.

    :param what: what it does, for the error.
    :param listen: called with every line of output.
    :raises FindingsError: when it can't be started or fails; the error quotes the last lines and names the log.
    """
    tail: list[str] = []
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8", errors="replace") as stream:
        stream.write(f"$ {' '.join(command)}\n")
        stream.flush()
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                process_group=0,
            )
        except OSError as error:
            raise FindingsError([Finding(f"{what}: {command[0]} can't be run: {error.strerror}")]) from error
        try:
            assert process.stdout is not None
            for line in process.stdout:
                stream.write(line)
                tail = [*tail[-11:], line.rstrip()]
                listen(line.rstrip())
            process.wait()
        except BaseException:
            _stop(process)
            raise
        finally:
            stream.flush()
    if process.returncode != 0:
        quoted = "\n".join(text[:300] for text in tail)
        raise FindingsError(
            [Finding(f"{what} failed (exit status {process.returncode})", hint=f"{quoted}\nfull log: {log}")]
        )


def _stop(process: subprocess.Popen[str]) -> None:
    for number, patience in ((signal.SIGINT, _GRACE), (signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(patience)
            break
        except subprocess.TimeoutExpired:
            continue
        except KeyboardInterrupt:  # a second Ctrl-C: no more patience
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
