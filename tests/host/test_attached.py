"""A program on our terminal: it and its children are told of an interrupt, and have the time to clean up."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.project import ROOT

#: Says when it runs, and cleans up behind itself and its child as pytest does with pytest-xdist's processes.
PROGRAM = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.default_int_handler)  # as qemu.stops has it
name, *rest = sys.argv[1:]
child = subprocess.Popen([sys.executable, __file__, *rest]) if rest else None
open(name, "w").close()
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    if child:
        child.wait()
    open(f"{name} has cleaned up", "w").close()
"""
CALLER = """
import sys
from pathlib import Path
from image.attached import run_attached
from image.process import Interrupted, interruptible
try:
    with interruptible():
        sys.exit(run_attached([sys.executable, *sys.argv[1:]], Path(".")))
except (KeyboardInterrupt, Interrupted):
    sys.exit(99)
"""


#: Makes standard input the controlling terminal of its session, and becomes the command (tty_ioctl(4)).
ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def started(folder: Path, *arguments: str, terminal: int | None = None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CALLER, *arguments]
    if terminal is None:
        return subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL)
    command = [sys.executable, "-c", ON_TERMINAL, *command]
    return subprocess.Popen(command, cwd=folder, env=environment, stdin=terminal, start_new_session=True)


def wait_for(*paths: Path) -> None:
    end = time.monotonic() + 30
    while not all(path.exists() for path in paths):
        assert time.monotonic() < end, paths
        time.sleep(0.05)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"program.py"}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_and_its_children_clean_up(tmp_path: Path, program: Path, number: signal.Signals) -> None:
    with started(tmp_path, str(program), "it", "child") as caller:
        wait_for(tmp_path / "it", tmp_path / "child")
        caller.send_signal(number)
        assert caller.wait(30) == 99
    assert names(tmp_path) == {"it", "child", "it has cleaned up", "child has cleaned up"}


def test_a_terminal_has_told_them_already(tmp_path: Path, program: Path) -> None:
    """A second interrupt amid the cleaning up would end that."""
    ours, theirs = pty.openpty()
    with started(tmp_path, str(program), "it", "child", terminal=theirs) as caller:
        wait_for(tmp_path / "it", tmp_path / "child")
        os.write(ours, b"\x03")
        assert caller.wait(30) == 99
    os.close(ours)
    os.close(theirs)
    assert names(tmp_path) == {"it", "child", "it has cleaned up", "child has cleaned up"}


def test_its_exit_status_is_handed_on(tmp_path: Path) -> None:
    with started(tmp_path, "-c", "raise SystemExit(7)") as caller:
        assert caller.wait(30) == 7
