"""Snapshots through QEMU's monitor: names are plain, and what QEMU refuses is an error."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from qemu import snapshot
from qemu.errors import MachineError
from qemu.monitor import Monitor

LIST = """List of snapshots present on all disks:
ID        TAG               VM SIZE                DATE        VM CLOCK     ICOUNT
--        booted            412 MiB 2026-11-24 10:00:00 0000:00:45.123 --
"""


class Human:
    """A monitor that gives one answer."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def execute(self, command: str, arguments: Mapping[str, Any], timeout: float = 0) -> str:
        assert command == "human-monitor-command"
        self.asked.append(arguments["command-line"])
        return self.answer


def monitor(answer: str = "") -> tuple[Human, Monitor]:
    human = Human(answer)
    return human, cast(Monitor, human)


def test_save_and_load() -> None:
    human, as_monitor = monitor()
    snapshot.save(as_monitor, "booted")
    snapshot.load(as_monitor, "booted")
    assert human.asked == ["savevm booted", "loadvm booted"]


@pytest.mark.parametrize("name", ["", "a b", "booted\nquit", "-x", "Ä", "x" * 40, "1"])
def test_a_name_that_is_a_command_is_refused(name: str) -> None:
    human, as_monitor = monitor()
    for use in (snapshot.save, snapshot.load, snapshot.exists):
        with pytest.raises(MachineError, match="can't be the name of a snapshot"):
            use(as_monitor, name)
    assert human.asked == []


def test_a_refusal_of_qemu_is_told() -> None:
    _, as_monitor = monitor("Error: Device 'medium' is writable but does not support snapshots\r\n")
    with pytest.raises(MachineError, match=r"'savevm x': Error: Device 'medium' is writable"):
        snapshot.save(as_monitor, "x")


@pytest.mark.parametrize(
    ("name", "there"), [("booted", True), ("boote", False), ("mi", False), ("tag", False), ("present", False)]
)
def test_exists(name: str, there: bool) -> None:
    assert snapshot.exists(monitor(LIST)[1], name) is there


def test_none_exists() -> None:
    assert not snapshot.exists(monitor("There is no snapshot available.\r\n")[1], "booted")
