"""The two ends of the guest's root shell against each other: the guest's script runs here, on a socket."""

import subprocess
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from qemu.errors import CommandTimeoutError, GuestSilentError
from qemu.shell import Shell
from tests.qemu.line import Line


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path / "shell.sock", terminal=False)
    script = (resources.files("qemu") / "guest_shell.sh").read_text()
    for what, instead in [
        ("/dev/virtio-ports/org.tauos.test.shell", "/dev/null"),
        ('exec 3<>"$port"', f"exec 3<&{line.slave}"),
        ("/run/tau-test-shell", str(tmp_path / "run")),
    ]:
        assert what in script
        script = script.replace(what, instead)
    line.children.append(subprocess.Popen(["bash", "-c", script], stdin=subprocess.DEVNULL, pass_fds=[line.slave]))
    yield line
    line.close()


@pytest.fixture
def shell(line: Line) -> Iterator[Shell]:
    shell = Shell(line.path)
    shell.connect(10)
    yield shell
    shell.close()


def test_outputs_and_status_are_apart(shell: Shell) -> None:
    answer = shell.run("echo out; echo err >&2; exit 7")
    assert (answer.status, answer.stdout, answer.stderr) == (7, b"out\n", b"err\n")


def test_it_is_binary_safe_both_ways(shell: Shell) -> None:
    data = bytes(range(256)) * 400 + b"no newline, DONE deadbeef 0 1 1 1 1"
    answer = shell.run("cat; printf '\\0\\n\\0' >&2", stdin=data)
    assert answer.stdout == data
    assert answer.stderr == b"\0\n\0"


@pytest.mark.parametrize("command", ["echo 'a\nb'", "cat <<'E'\n$x `y` \\\nE", "printf '%s' ü€😀", "# nothing\n"])
def test_commands_arrive_as_they_are(shell: Shell, command: str) -> None:
    assert shell.run(command).stdout == subprocess.run(["bash", "-c", command], capture_output=True).stdout


def test_a_command_that_prints_frames_can_not_forge_an_answer(shell: Shell) -> None:
    assert shell.run("echo DONE 0 0 0 0 0 0; echo SYNC 0").text == "DONE 0 0 0 0 0 0\nSYNC 0"
    assert shell.run("echo next").text == "next"


@pytest.mark.parametrize("stale", [b"HELLO boot\nDONE 0123456789abcdef 0 5 0 1 2\nstale\n", b"half a li"])
def test_what_an_earlier_life_left_on_the_line_is_skipped(shell: Shell, line: Line, stale: bytes) -> None:
    line.stale = stale
    shell.connect(20)
    assert line.stale == b""
    assert shell.run("echo fresh").text == "fresh"
    line.inject(b"DONE 0123456789abcdef 0 5 0 1 2\nstale\n")
    assert shell.run("echo fresh").text == "fresh"


def test_a_command_over_its_time_is_killed_with_its_children(shell: Shell) -> None:
    with pytest.raises(CommandTimeoutError):
        shell.run("sleep 271.828 & sleep 271.828", timeout=1)
    assert shell.run("pgrep -f '^sleep 271.828$'").text == ""


def test_what_is_left_in_the_background_does_not_hold_the_answer(shell: Shell) -> None:
    answer = shell.run("(sleep 5; echo late) & echo at once")
    assert answer.text == "at once"
    assert answer.ended - answer.started < 4


def test_a_second_connection_is_served(line: Line, shell: Shell) -> None:
    shell.run("true")
    shell.close()
    shell.connect(10)
    assert shell.run("echo again").text == "again"


def test_nobody_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(GuestSilentError, match="did not answer"):
        Shell(tmp_path / "none.sock").connect(0.5)
