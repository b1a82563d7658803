"""A check of a broken machine sees the packets of the boot and its own, none that an earlier break let out."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from qemu.capture import Packet
from qemu.machine import Machine
from qemu.net import Network


class Window:
    """What the record of a machine and its network held when it had booted."""

    def __init__(self, machine: Machine, network: Network) -> None:
        self._machine, self._network = machine, network
        self._packets = len(machine.capture.packets())
        self._events = network.mark()

    def open(self, patch: pytest.MonkeyPatch) -> None:
        """Hide what came between that moment and this, for as long as the patch lasts."""
        capture, network = self._machine.capture, self._network
        first, since = self._packets, len(capture.packets())
        begin, after = self._events, network.mark()
        packets: Callable[[], list[Packet]] = capture.packets
        lines: Callable[[], list[str]] = network._lines

        def visible_packets(mark: int = 0) -> list[Packet]:
            found = packets()
            visible = [replace(packet, number=number) for number, packet in enumerate(found[:first] + found[since:])]
            return visible[mark:]

        def visible_lines() -> list[str]:
            found = lines()
            return found[:begin] + found[after:]

        patch.setattr(capture, "packets", visible_packets)
        patch.setattr(network, "_lines", visible_lines)
