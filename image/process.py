"""Run a long program: its output into a log, its lines to a listener, and nothing left behind when it is stopped."""

import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from image.findings import Finding, FindingsError

#: Seconds that a program has to end by itself once it was asked to.
_GRACE = 20
#: Lines of output that are kept to tell from them why a program has failed.
_KEPT = 500


class Interrupted(BaseException):
    """SIGTERM or SIGHUP came: like KeyboardInterrupt, so that every clean-up on the way out runs."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def last_lines(lines: Sequence[str]) -> list[str]:
    """What is quoted of a program that failed, unless its caller knows better: the last dozen lines."""
    return list(lines[-12:])


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into :class:`Interrupted` within the block; but nohup(1) has its way."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, interrupt) for number in numbers}
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
    quote: Callable[[Sequence[str]], list[str]] = last_lines,
) -> None:
    """Run `command` in a process group of its own, append all that it prints to `log`.

    An interrupt is passed on as SIGINT, which lets it clean up; what does not end within 20 s is killed, the whole
    group of it.

    :param what: what it does, for the error.
    :param listen: called with every line of output.
    :param quote: chooses from the last lines those that tell why it failed.
    :raises FindingsError: when it can't be started or fails; the error quotes its lines and names the log.
    """
    tail: deque[str] = deque(maxlen=_KEPT)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8", errors="replace") as stream:
        _write(stream, f"$ {' '.join(command)}\n", log)
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
                _write(stream, line, log)
                tail.append(line.rstrip())
                listen(line.rstrip())
            process.wait()
        except BaseException:
            _stop(process)
            raise
    if process.returncode != 0:
        quoted = "\n".join(text[:300] for text in quote(tuple(tail)))
        raise FindingsError(
            [Finding(f"{what} failed (exit status {process.returncode})", hint=f"{quoted}\nfull log: {log}")]
        )


def _write(stream: TextIO, line: str, log: Path) -> None:
    try:
        stream.write(line)
        stream.flush()
    except OSError as error:
        with contextlib.suppress(OSError):
            stream.close()  # what it still holds can't be written either
        raise FindingsError([Finding(f"can't be written: {error.strerror}", file=log)]) from error


def _stop(process: subprocess.Popen[str]) -> None:
    """End the program and all of its process group, however it has left its children."""
    for number, patience in ((signal.SIGINT, _GRACE), (signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        _signal_group(process, number)
        try:
            process.wait(patience)
            break
        except subprocess.TimeoutExpired:
            continue
        except (KeyboardInterrupt, Interrupted):  # a second Ctrl-C: no more patience
            _signal_group(process, signal.SIGKILL)
    _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
