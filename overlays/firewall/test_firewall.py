"""The firewall as a neighbour on the network sees it, and what happens without it."""

from collections.abc import Callable, Iterator

import pytest

from image.plan import Plan
from qemu.machine import Machine
from qemu.net import Network
from qemu.plugin import unattended
from qemu.servers import DohServer

pytestmark = pytest.mark.row(1)
PORT = 4711


@pytest.fixture
def addresses(machine: Machine) -> Iterator[list[str]]:
    """The machine's IPv4 and IPv6 addresses, with a program behind that answers on every one of them."""
    machine.succeed(
        f"systemd-run --collect --unit=listener --property=Type=exec systemd-socket-activate --listen={PORT} --inetd "
        "--accept /bin/echo open"
    )
    machine.wait_until(f"ss --listening --tcp --numeric | grep -q ':{PORT} '")
    yield [
        machine.wait_until(
            f"ip -{family} -oneline address show scope global -deprecated -tentative"
            " | sed -nE 's,.* inet6? ([0-9a-f.:]+)/.*,\\1,p' | grep . | head -n 1"
        )
        for family in (4, 6)
    ]
    machine.run("systemctl stop listener.service")


def outcomes(network: Network, addresses: list[str]) -> list[str]:
    """What knocking at the listener's port gives, by address."""
    return [network.knock(address, [PORT])[PORT] for address in addresses]


def test_nothing_answers_a_neighbour(machine: Machine, network: Network, addresses: list[str]) -> None:
    assert machine.succeed(f"timeout 5 bash -c 'cat </dev/tcp/127.0.0.1/{PORT}'") == "open"
    for address in addresses:
        assert set(network.knock(address, [22, 53, 111, 631, PORT], timeout=2).values()) == {"silent"}
        assert set(network.knock(address, [53, 68, 123, 323, 5353, 5355], "udp", timeout=2).values()) == {"silent"}


@pytest.mark.destructive
def test_a_neighbour_would_have_been_answered(machine: Machine, network: Network, addresses: list[str]) -> None:
    """The control: without the rules the same door is open."""
    machine.succeed("nft delete table inet tau_firewall")
    assert outcomes(network, addresses) == ["open", "open"]


@pytest.mark.destructive
def test_a_file_of_rules_opens_a_port(machine: Machine, network: Network, addresses: list[str]) -> None:
    machine.succeed("mkdir /run/rules && cp -r /usr/lib/tau/firewall.d /run/rules/")
    machine.succeed(f"echo 'tcp dport {PORT} accept' >/run/rules/firewall.d/50-x.nft")
    machine.succeed("sed 's,/usr/lib/tau/firewall.d,/run/rules/firewall.d,' /usr/lib/tau/firewall.nft | nft -f -")
    assert outcomes(network, addresses) == ["open", "open"]
    machine.succeed("nft -f /usr/lib/tau/firewall.nft")
    assert outcomes(network, addresses) == ["silent", "silent"]


@pytest.mark.destructive
def test_nothing_is_forwarded(machine: Machine) -> None:
    """Even where somebody turns forwarding on; the control opens the chain."""
    assert machine.succeed("sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding").split() == ["0", "0"]
    # Not "a" and "b": ip(8) takes those for abbreviations of its own words.
    machine.succeed(
        "set -e; for n in left right; do"
        " ip netns add $n; ip link add $n type veth peer name eth0 netns $n; ip link set $n up; done;"
        "ip address add 10.97.0.1/24 dev left; ip -n left address add 10.97.0.2/24 dev eth0;"
        "ip address add 10.98.0.1/24 dev right; ip -n right address add 10.98.0.2/24 dev eth0;"
        "for n in left right; do ip -n $n link set eth0 up; ip -n $n link set lo up; done;"
        "ip -n left route add default via 10.97.0.1; ip -n right route add default via 10.98.0.1;"
        "sysctl -qw net.ipv4.conf.left.forwarding=1 net.ipv4.conf.right.forwarding=1;"
        # Rules of another overlay's, which see to it as well.
        "nft delete table inet tau_apps 2>/dev/null || true"
    )
    machine.succeed(
        "systemd-run --collect --unit=behind --property=Type=exec"
        f" ip netns exec right systemd-socket-activate --listen={PORT} --inetd --accept /bin/echo open"
    )
    machine.wait_until(f"ip netns exec right ss --listening --tcp --numeric | grep -q ':{PORT} '")
    ask = f"ip netns exec left timeout 5 bash -c 'cat </dev/tcp/10.98.0.2/{PORT}'"
    machine.fail(ask)
    machine.succeed("nft insert rule inet tau_firewall forward accept")
    assert machine.succeed(ask) == "open"


@pytest.mark.destructive
def test_a_ruleset_that_is_broken_leaves_the_old_one(machine: Machine, network: Network, addresses: list[str]) -> None:
    machine.succeed("cp /usr/lib/tau/firewall.nft /run/x.nft && echo 'nonsense {' >>/run/x.nft")
    machine.fail("nft --file /run/x.nft")
    assert machine.succeed("nft list table inet tau_firewall").count("policy drop") == 2
    assert outcomes(network, addresses) == ["silent", "silent"]


def test_a_boot_without_its_rules_has_no_network(
    fresh_machine: Callable[..., Machine], plan: Plan, doh_server: DohServer
) -> None:
    broken = {"systemd.unit-dropin.tau-firewall.service": b"[Service]\nExecStart=\nExecStart=/bin/false\n"}
    with fresh_machine(credentials=unattended(plan, doh_server) | broken) as machine:
        machine.boot(clean=False)
        # The socket comes first: while it listens, the state of the other two may be any.
        assert machine.run("systemctl is-active systemd-networkd.socket").text == "inactive"
        assert machine.run("systemctl is-active tau-firewall.service").text == "failed"
        assert machine.run("systemctl is-active systemd-networkd.service").text == "inactive"
        assert [str(packet) for packet in machine.capture.sent()] == []


def test_its_service_is_no_root(machine: Machine) -> None:
    score = machine.succeed("systemd-analyze security --no-pager tau-firewall.service | tail -n 1")
    assert float(score.split(":")[1].split()[0]) < 2.0
