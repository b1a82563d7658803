"""What an earlier break let out is not seen by the check of the next one."""

from types import SimpleNamespace
from typing import Any

import pytest

from qemu.capture import Packet
from tests.breaks.window import Window


def test_a_check_sees_the_boot_and_its_own() -> None:
    sent = ["boot"]
    arrived = ["boot"]

    def packets(since: int = 0) -> list[Packet]:
        return [Packet(number, 0.0, True, name.encode()) for number, name in enumerate(sent)][since:]

    machine: Any = SimpleNamespace(capture=SimpleNamespace(packets=packets))
    network: Any = SimpleNamespace(mark=lambda: len(arrived), _lines=lambda: list(arrived))
    window = Window(machine, network)
    sent.append("earlier")
    arrived.append("earlier")
    with pytest.MonkeyPatch.context() as patch:
        window.open(patch)
        mark = len(machine.capture.packets())
        sent.append("own")
        arrived.append("own")
        seen = machine.capture.packets()
        assert [(each.number, each.data) for each in seen] == [(0, b"boot"), (1, b"own")]
        assert [each.data for each in machine.capture.packets(mark)] == [b"own"]
        assert network._lines() == ["boot", "own"]
    assert len(machine.capture.packets()) == 3 and network._lines() == arrived
