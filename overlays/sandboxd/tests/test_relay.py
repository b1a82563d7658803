"""What `tau run` stands between: files, pipes, a terminal and signals, each as if the app had them itself."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from overlays.sandboxd.author.tools import SOURCE

STAND_IN = [sys.executable, str(Path(__file__).with_name("stand_in.py"))]
ENVIRONMENT = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def run(*command: str, **streams: object) -> subprocess.CompletedProcess[str]:
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run([*STAND_IN, *command], env=ENVIRONMENT, text=True, timeout=60, check=False, **streams)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143)])
def test_the_exit_status(script: str, status: int) -> None:
    assert run("sh", "-c", script).returncode == status


def test_output_and_errors_are_apart() -> None:
    done = run("sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_files(tmp_path: Path) -> None:
    """More than a pipe holds, both ways at once: who waits for whom must not matter."""
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(os.urandom(3 << 20))
    with source.open("rb") as reading, target.open("wb") as writing:
        assert run("cat", stdin=reading, stdout=writing).returncode == 0
    assert target.read_bytes() == source.read_bytes()


def test_what_an_app_leaves_in_a_file_is_there_for_the_next(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("one\ntwo\nthree\n")
    with file.open("rb", buffering=0) as reading:
        assert run("sh", "-c", "read line; echo $line", stdin=reading).stdout == "one\n"
        assert run("sh", "-c", "read line; echo $line", stdin=reading).stdout == "two\n"
        assert reading.read() == b"three\n"


def test_one_file_for_both_keeps_the_order(tmp_path: Path) -> None:
    file = tmp_path / "both"
    with file.open("wb") as writing:
        run("sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done", stdout=writing, stderr=writing)
    assert file.read_text() == "o1\ne1\no2\ne2\no3\ne3\n"


def test_it_never_gets_a_file_of_the_users(tmp_path: Path) -> None:
    """Whoever has a descriptor can open it anew, with other rights."""
    file = tmp_path / "secret"
    file.write_text("x")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    listed = "for n in 0 1 2; do readlink /proc/self/fd/$n; done"
    with file.open("r+b") as given, os.fdopen(os.open(fifo, os.O_RDWR), "wb") as named:
        said = run("sh", "-c", f"{listed} >&2", stdin=given, stdout=named).stderr
        direct = subprocess.run(["sh", "-c", listed], stdin=given, capture_output=True, text=True, check=True).stdout
    assert [line.partition(":")[0] for line in said.split()] == ["pipe", "pipe", "pipe"]
    assert str(file) in direct, "no control"


def test_pipes_are_its_own() -> None:
    """Whose pipe is read by somebody else, too, must not find in it what the app has written."""
    script = "read first; " + " ".join(STAND_IN) + " sh -c 'echo echo injected >/proc/self/fd/0'; echo $first\n"
    done = subprocess.run(
        ["bash", "-c", "cat | sh"], input=script + "one\n", env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert "injected" not in done.stdout


def test_who_stops_to_read_ends_it() -> None:
    script = " ".join([*STAND_IN, "yes | head -n 2"])
    done = subprocess.run(
        ["bash", "-c", f"{script}; echo ${{PIPESTATUS[*]}}"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "y\ny\n141 0\n"


@pytest.mark.parametrize("count", [10, 300_000])
def test_a_full_disk_is_told(count: int) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run("head", "-c", str(count), "/dev/zero", stdout=full)
    assert (done.returncode, done.stderr) == (125, "what it wrote could not be handed on: No space left on device\n")


def test_streams_that_are_closed() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" 0<&- 2>&-', "sh", *STAND_IN, "sh", "-c", "cat; echo end; echo lost >&2"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "end\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_signals_are_handed_on(number: signal.Signals) -> None:
    script = f"trap 'echo got; exit 9' {number.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
    process = subprocess.Popen(
        [*STAND_IN, "sh", "-c", script], env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.stdout.read() == b"got\n"
    assert process.wait(30) == 9


class Screen:
    """A terminal with a command in it."""

    def __init__(self, *command: str) -> None:
        self.text = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, ENVIRONMENT)

    def until(self, pattern: bytes, seconds: float = 30) -> None:
        """Read until the output has a match."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            assert ready, self.text
            self.text += os.read(self.master, 65536)

    def send(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@pytest.fixture
def shell() -> Iterator[Screen]:
    """A shell on a terminal, which runs what is typed."""
    screen = Screen("sh")
    screen.until(rb"[$#] ")
    screen.send(b"PS1='ready> '\n")
    screen.until(rb"\nready> ")
    screen.send(b"t() { " + b" ".join(f"'{word}'".encode() for word in STAND_IN) + b' "$@"; }\n')
    screen.until(rb"}\r\nready> ")
    screen.text = b""
    yield screen
    os.kill(screen.pid, signal.SIGKILL)
    os.close(screen.master)
    os.waitpid(screen.pid, 0)


def test_a_terminal_of_its_own(shell: Screen) -> None:
    shell.size(30, 100)
    shell.send(b"tty; t sh -c 'tty; stty size; echo at-tty >/dev/tty; exit 3'; echo status $?\n")
    shell.until(rb"status \d+\r\n")
    own, apps = re.findall(rb"/dev/pts/\d+", shell.text)
    assert own != apps
    assert b"30 100\r\nat-tty\r\nstatus 3\r\n" in shell.text


def test_a_new_size_reaches_it(shell: Screen) -> None:
    shell.send(b"t sh -c 'trap \"stty size; exit\" WINCH; echo wait; while :; do sleep 0.05; done'\n")
    shell.until(rb"\nwait\r\n")
    shell.size(11, 77)
    shell.until(rb"\n11 77\r\n")


def test_ctrl_c_is_the_apps(shell: Screen) -> None:
    shell.send(b"t sh -c 'trap \"echo int; exit 5\" INT; echo wait; while :; do sleep 0.05; done'; echo status $?\n")
    shell.until(rb"\nwait\r\n")
    shell.send(b"\x03")
    shell.until(rb"\^Cint\r\nstatus 5\r\n")


def test_the_terminal_is_left_as_it_was(shell: Screen) -> None:
    before = termios.tcgetattr(shell.master)
    shell.send(b"t sh -c 'stty raw -echo; echo wait; read x'; echo status $?\n")
    shell.until(rb"\nwait\r?\n")
    assert termios.tcgetattr(shell.master) != before
    shell.send(b"x\n")
    shell.until(rb"status 0\r\n")
    assert termios.tcgetattr(shell.master) == before


def test_keys_go_where_the_output_is_read(shell: Screen) -> None:
    """In `tau run … | less`, the keys are less's."""
    shell.send(b"t sh -c 'echo from-app; sleep 1' | (read line; read key </dev/tty; echo $line $key)\n")
    shell.send(b"typed\n")
    shell.until(rb"from-app typed\r\n")


def test_keys_go_to_who_asks_in_a_pipe_before_it(shell: Screen) -> None:
    """In `sudo cat … | tau run …`, the password is sudo's."""
    shell.send(b"(sleep 0.5; read key </dev/tty; echo key=$key) | t sh -c 'cat; echo over'\n")
    time.sleep(1)
    shell.send(b"typed\n")
    shell.until(rb"key=typed\r\nover\r\n")


def test_a_background_job_leaves_the_terminal_alone(shell: Screen) -> None:
    shell.send(
        b"set -m; t sh -c 'echo started; sleep 1; echo over' & sleep 0.5; stty -a | grep -o ' icanon'; wait; echo end\n"
    )
    shell.until(rb"\nend\r\n")
    assert b"started" in shell.text and b" icanon" in shell.text and b"over" in shell.text


def test_a_long_paste(shell: Screen) -> None:
    """More than the app's terminal takes at a time, while it writes as much."""
    shell.send(b"t sh -c 'stty raw -echo; echo wait; head -c 200000 | wc -c; echo; sleep 0.2'; echo status $?\n")
    shell.until(rb"\nwait\r?\n")
    sent = 0
    os.set_blocking(shell.master, False)
    while sent < 200000:
        select.select([], [shell.master], [], 30)
        sent += os.write(shell.master, b"x" * min(4096, 200000 - sent))
    os.set_blocking(shell.master, True)
    shell.until(rb"\n200000\r?\n")
    shell.until(rb"status 0\r\n")
