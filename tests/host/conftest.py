"""What checks of a host need: programs of their own, first on PATH, and signals that arrive."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Program = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def signals_arrive() -> Iterator[None]:
    """What stops a program does: nohup(1) and a shell's background have it ignored, and children inherit that."""
    ignored = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, signal.default_int_handler)  # not a child's: exec resets it to the default (execve(2))
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A function that makes a program (name, text of a shell script) which is found before the host's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return make
