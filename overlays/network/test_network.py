"""The network as it sees the machine: it has an address, and says nothing of who it is."""

import ipaddress
from collections.abc import Callable

import dpkt
import pytest

from image.plan import Plan
from qemu.capture import Capture
from qemu.machine import Machine

pytestmark = pytest.mark.row(6)

#: What a request for an address may hold (RFC 7844, 3; dpkt's names are those of RFC 2132).
ANONYMOUS = {53, 50, 54, 55, 57, 61}


def test_it_has_addresses_and_a_route(machine: Machine) -> None:
    machine.wait_until("ip -4 route show default | grep -q .")
    machine.wait_until("ip -6 route show default | grep -q .")
    machine.wait_until("ip -6 address show scope global temporary | grep -q inet6")


@pytest.mark.destructive
def test_a_cable_that_comes_back(machine: Machine) -> None:
    machine.wait_until("ip -4 route show default | grep -q .")
    machine.cut_network()
    machine.wait_until("! { ip -4 route show default; ip -6 route show default; } | grep -q .")
    machine.plug_network()
    machine.wait_until("ip -4 route show default | grep -q . && ip -6 route show default | grep -q .")


def test_the_initrd_has_no_network(machine: Machine) -> None:
    said = machine.succeed("journalctl --boot --no-pager --output=cat _PID=1")
    initrd, _, system = said.partition("Switching root.")
    assert "Network Configuration" in system, "networkd is known by another name"
    assert "Network Configuration" not in initrd.replace("Stopped", "")


def test_no_packet_carries_the_name_or_number_of_the_machine(machine: Machine, capture: Capture) -> None:
    machine_id = bytes.fromhex(machine.succeed("cat /etc/machine-id"))
    for packet in capture.sent():
        assert machine_id not in packet.data and machine_id.hex().encode() not in packet.data
    requests = [packet for packet in capture.sent() if packet.port == 67]
    assert requests, "no request for an address was captured"
    for packet in requests:
        options = dict(dpkt.dhcp.DHCP(packet.payload).opts)
        assert set(options) - {255} <= ANONYMOUS
        assert options.get(61, b"\x01" + packet.data[6:12]) == b"\x01" + packet.data[6:12]


def test_no_address_is_made_from_the_card_s(machine: Machine, capture: Capture) -> None:
    machine.wait_until("ip -6 address show scope global temporary | grep -q inet6")
    mac = bytes.fromhex(machine.settings.mac.replace(":", ""))
    eui64 = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    held = machine.succeed("ip -6 -oneline address show scope global; ip -6 -oneline address show scope link")
    used = {word.split("/")[0] for line in held.splitlines() for word in line.split() if ":" in word and "/" in word}
    used |= {packet.source for packet in capture.sent() if ":" in packet.source}
    assert len(used) >= 3, used  # one of the link, a stable one and a temporary one
    assert [each for each in used if ipaddress.ip_address(each).packed[8:] == eui64] == []


def test_the_card_s_own_address_is_as_chosen(machine: Machine, plan: Plan) -> None:
    overlay = plan.overlay("network")
    assert overlay is not None
    seen = machine.succeed("cat /sys/class/net/e*/address")
    assert (seen == machine.settings.mac) == (overlay.options["mac"] == "persistent")


def test_no_name_is_taken_from_or_told_to_the_local_network(machine: Machine, capture: Capture) -> None:
    assert [str(packet) for packet in capture.sent() if packet.port in (5353, 5355, 137, 1900)] == []
    assert machine.run("ss --listening --udp --numeric --no-header | grep -E ':(5353|5355|137) '").status != 0


def test_its_own_names_need_no_resolver(machine: Machine) -> None:
    assert set(machine.succeed("getent ahosts localhost | cut -d' ' -f1").split()) == {"127.0.0.1", "::1"}
    assert machine.succeed("getent ahostsv4 $(hostname) | cut -d' ' -f1 | sort -u") == "127.0.1.1"


def test_a_machine_without_a_network_starts(fresh_machine: Callable[..., Machine]) -> None:
    with fresh_machine(network=False) as machine:
        assert machine.boot() == "running"
        assert machine.succeed("ls /sys/class/net") == "lo"
