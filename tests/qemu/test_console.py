"""The record of a console: when each line came, and nothing of it lost."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qemu.console import Console
from qemu.errors import GuestSilentError
from qemu.patience import USUAL, Patience


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[tuple[socket.socket, Console]]:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "serial.sock"))
    server.listen()
    console = Console(tmp_path / "serial.sock", tmp_path / "console.log")
    end, _ = server.accept()
    yield end, console
    console.close()
    end.close()
    server.close()


def wait_for(console: Console, length: int) -> None:
    deadline = time.monotonic() + 5
    while console.mark() < length and time.monotonic() < deadline:
        time.sleep(0.01)
    assert console.mark() == length


def test_each_line_carries_the_time_of_its_first_character(guest: tuple[socket.socket, Console]) -> None:
    end, console = guest
    end.sendall(b"one\r\ntw")
    wait_for(console, 7)
    time.sleep(0.3)
    end.sendall(b"o\r\n\x1b[0;32mthree\x1b[0m\r\n\xff\xc3")
    wait_for(console, 30)
    lines = console.stamped.splitlines()
    stamps = [float(line[:9]) for line in lines]
    assert [line[11:] for line in lines] == ["one", "two", "three", "\ufffd\ufffd"]
    assert stamps[1] - stamps[0] < 0.2, "the line began before the pause"
    assert stamps[2] - stamps[1] >= 0.3


def test_the_log_holds_what_came_byte_for_byte(guest: tuple[socket.socket, Console]) -> None:
    end, console = guest
    said = bytes(range(256)) * 300
    end.sendall(said)
    wait_for(console, len(said))
    assert console.log.read_bytes() == said
    assert re.match(r" +\d+\.\d{3}  ", console.stamped)


def test_an_empty_console_has_no_lines(guest: tuple[socket.socket, Console]) -> None:
    assert guest[1].stamped == ""


def test_a_wait_is_stretched_where_boots_are_slow(
    guest: tuple[socket.socket, Console], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Patience()
    slow.generosity = 1
    slow.learn(USUAL * 4)
    monkeypatch.setattr("qemu.console.patience", slow)
    with pytest.raises(GuestSilentError, match="within 2 s"):
        guest[1].expect("never", timeout=0.5)
