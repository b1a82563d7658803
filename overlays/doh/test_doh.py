"""Names over HTTPS by their effect: what was asked, what left the machine, and what happens without the resolver."""

import base64
import re
import struct
import tomllib

import pytest
from testinfra.host import Host

from image.plan import Plan
from qemu.capture import Capture
from qemu.machine import Machine
from qemu.net import Sink
from qemu.patience import patience
from qemu.servers import DohServer

pytestmark = pytest.mark.row(8)

#: A query for example.org, written by hand: the image needs no tool of its own to try to leak.
QUERY = r"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01"
PORTS = (53, 853, 5353, 5355)


def send(machine: Machine, transport: str, address: str, port: int) -> None:
    """Try to send a DNS query in clear text, as root."""
    machine.run(f"timeout 3 bash -c \"exec 3<>/dev/{transport}/{address}/{port}; printf '{QUERY}' >&3\"", 30)


def test_a_name_is_asked_of_the_server_over_https(machine: Machine, doh_server: DohServer, capture: Capture) -> None:
    mark, seen = doh_server.mark(), capture.mark()
    machine.wait_until("getent ahosts one.example.org", timeout=60)
    doh_server.wait_for("one.example.org", since=mark)
    assert any(packet.port == 443 and packet.protocol == "tcp" for packet in capture.sent(seen))
    assert capture.clear_text_dns(seen) == []


def test_nothing_was_asked_in_clear_text_since_power_on(capture: Capture, sink: Sink) -> None:
    assert len(capture.sent()) > 5, "nothing was captured: this would prove nothing"
    assert [str(packet) for packet in capture.clear_text_dns()] == []
    assert [str(query) for query in sink.queries()] == []


def test_a_renewed_lease_brings_no_other_resolver(machine: Machine, capture: Capture, doh_server: DohServer) -> None:
    mark = capture.mark()
    link = machine.succeed("ls /sys/class/net | grep -v '^lo$' | head -n 1")
    machine.succeed(f"networkctl renew {link}; networkctl reconfigure {link}")
    machine.wait_until("ip -4 route show default | grep -q .", timeout=60)
    machine.wait_until("getent ahosts two.example.org", timeout=60)
    assert capture.clear_text_dns(mark) == []
    nameservers = re.findall(r"^nameserver (\S+)$", machine.succeed("cat /etc/resolv.conf"), re.MULTILINE)
    assert nameservers == ["127.0.0.1"]


@pytest.mark.destructive
def test_a_machine_that_wakes_up_asks_nothing_in_clear_text(
    machine: Machine, capture: Capture, sink: Sink, doh_server: DohServer
) -> None:
    """The network is configured anew then, before the resolver has a connection."""
    mark, arrived, asked = capture.mark(), sink.mark(), doh_server.mark()
    # Woken by the alarm of its clock. QEMU's "virt" has none that wakes: there the kernel sleeps on trial, its devices
    # alone, and for five seconds (Documentation/power/basic-pm-debugging.rst).
    waking = {"x86_64": f"echo +{30 * patience.slowness:.0f} >/sys/class/rtc/rtc0/wakealarm"}
    machine.succeed(waking.get(machine.settings.arch, "echo devices >/sys/power/pm_test"))
    machine.succeed("systemctl --no-block suspend")
    machine.wait_until("journalctl --boot --dmesg --output=cat | grep -q '^PM: suspend exit'", timeout=120)
    machine.wait_until("ip -4 route show default | grep -q .", timeout=60)
    machine.wait_until("getent ahosts three.example.org", timeout=60)
    doh_server.wait_for("three.example.org", since=asked)
    assert [str(packet) for packet in capture.clear_text_dns(mark)] == []
    assert [str(query) for query in sink.queries(arrived)] == []


def test_names_of_the_local_network_are_not_told_to_the_server(machine: Machine, doh_server: DohServer) -> None:
    machine.wait_until("getent ahosts eight.example.org", timeout=60)
    mark = doh_server.mark()
    for name in ("printer", "nas.lan", "nas.local", "router.home.arpa", "leak.test", "10.0.2.2", "fd7a:7461:7500::2"):
        assert machine.run(f"timeout 20 getent hosts {name}", 30).text == "", name
    machine.succeed("getent ahosts nine.example.org")
    asked = doh_server.names(mark)
    assert "nine.example.org." in asked
    assert [name for name in asked if name.endswith((".arpa.", ".lan.", ".local.", ".test.", "printer."))] == []


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_clear_text_names_do_not_leave(
    machine: Machine, capture: Capture, sink: Sink, transport: str, port: int
) -> None:
    mark, arrived = capture.mark(), sink.mark()
    send(machine, transport, sink.address, port)
    send(machine, transport, sink.address_v6, port)
    assert [str(packet) for packet in capture.clear_text_dns(mark)] == []
    # A second witness: the capture knows the machine by its hardware address, and sees nothing where that is random.
    assert [str(event) for event in sink.queries(arrived)] == []
    assert [str(event) for event in sink.connections(arrived) if event.port == port] == []


@pytest.mark.destructive
def test_the_capture_would_have_seen_it(machine: Machine, capture: Capture, sink: Sink) -> None:
    """The control: without the rules the same query leaves, is captured, and reaches the sink."""
    machine.succeed("nft delete table inet tau_dns")
    mark, arrived = capture.mark(), sink.mark()
    send(machine, "udp", sink.address, 53)
    sink.wait_for("example.org", since=arrived)
    assert capture.clear_text_dns(mark) != []


@pytest.mark.destructive
def test_nor_do_those_of_whoever_the_machine_forwards_for(machine: Machine, capture: Capture, sink: Sink) -> None:
    """A sandbox behind the machine, with the firewall out of the way; then the control."""
    link = machine.succeed("ls /sys/class/net | grep -v '^lo$' | head -n 1")
    machine.succeed(
        "ip netns add behind; ip link add inside type veth peer name eth0 netns behind; ip link set inside up;"
        "ip address add 10.97.0.1/24 dev inside; ip -n behind address add 10.97.0.2/24 dev eth0;"
        "ip -n behind link set eth0 up; ip -n behind route add default via 10.97.0.1;"
        f"sysctl -qw net.ipv4.conf.inside.forwarding=1 net.ipv4.conf.{link}.forwarding=1;"
        "nft delete table inet tau_apps 2>/dev/null;"
        "nft list table inet tau_firewall >/dev/null 2>&1 && nft insert rule inet tau_firewall forward accept || true"
    )
    ask = f"ip netns exec behind bash -c \"exec 3<>/dev/udp/{sink.address}/53; printf '{QUERY}' >&3\""
    mark = capture.mark()
    machine.succeed(ask)
    assert [str(packet) for packet in capture.clear_text_dns(mark)] == []
    machine.succeed("nft delete table inet tau_dns")
    machine.succeed(ask)
    machine.run("sleep 1")
    assert {packet.source for packet in capture.clear_text_dns(mark)} == {"10.97.0.2"}


@pytest.mark.destructive
def test_a_server_that_is_gone_is_replaced_by_none(
    machine: Machine, doh_server: DohServer, capture: Capture, sink: Sink
) -> None:
    """Its servers out of reach, the resolver answers with an error, and asks nobody else; then it comes back."""
    machine.wait_until("getent ahosts five.example.org", timeout=60)
    doh_server.stop()
    mark, arrived = capture.mark(), sink.mark()
    machine.fail("timeout 40 getent ahosts six.example.org", 60)
    said = [packet for packet in capture.sent(mark) if packet.protocol in ("tcp", "udp") and packet.port != 67]
    # The names of the image's time servers lead to the sink.
    elsewhere = [str(packet) for packet in said if packet.port not in (123, 4460)]
    assert elsewhere and all(f"-> {doh_server.address}:443" in each for each in elsewhere), elsewhere
    assert sink.queries(arrived) == [] and capture.clear_text_dns(mark) == []
    doh_server.start()
    machine.wait_until("getent ahosts seven.example.org", timeout=90)


@pytest.mark.destructive
def test_without_the_resolver_there_are_no_names(machine: Machine, capture: Capture) -> None:
    machine.succeed("systemctl stop dnscrypt-proxy.service")
    mark = capture.mark()
    machine.fail("timeout 20 getent ahosts three.example.org", 60)
    assert capture.clear_text_dns(mark) == []


@pytest.mark.destructive
def test_a_server_of_another_authority_is_not_believed(machine: Machine, doh_server: DohServer) -> None:
    """The control of the credential tau.doh.ca: without it the very same server is refused."""
    machine.wait_until("getent ahosts ten.example.org", timeout=60)  # the server can be reached
    since = machine.succeed("date +%s")
    machine.succeed(
        "mkdir -p /run/systemd/system/dnscrypt-proxy.service.d && printf '[Service]\\nEnvironment=SSL_CERT_DIR=\\n'"
        " >/run/systemd/system/dnscrypt-proxy.service.d/90-x.conf && systemctl daemon-reload"
        " && systemctl restart dnscrypt-proxy.service"
    )
    # Only now has it tried: before, nobody would have got an answer.
    said = f"journalctl --unit dnscrypt-proxy.service --since @{since}"
    machine.wait_until(f"{said} | grep -E 'unknown authority|OK .DoH.'", timeout=90)
    machine.fail("timeout 20 getent ahosts four.example.org", 60)


def test_it_listens_on_loopback_alone_and_without_privilege(host: Host, machine: Machine) -> None:
    command = "ss --listening --numeric --processes --udp --tcp --no-header | grep ':53 '"
    listening = [line for line in machine.succeed(command).splitlines() if '"dnscrypt-proxy"' in line]
    assert {line.split()[4] for line in listening} == {"127.0.0.1:53", "[::1]:53"}
    process = machine.succeed("systemctl show --value --property MainPID dnscrypt-proxy.service")
    assert machine.succeed(f"stat -c %U /proc/{process}") == "_dnscrypt-proxy"
    assert machine.succeed(f"grep CapEff /proc/{process}/status").split()[1] == f"{1 << 10:016x}"
    score = machine.succeed("systemd-analyze security --no-pager dnscrypt-proxy.service | tail -n 1")
    assert float(re.findall(r": ([0-9.]+) ", score)[0]) < 2.0


def test_every_stamp_of_the_image_carries_an_address(host: Host, plan: Plan) -> None:
    config = tomllib.loads(host.file("/etc/dnscrypt-proxy/dnscrypt-proxy.toml").content_string)
    assert config["server_names"] and set(config["server_names"]) == set(config["static"])
    for name, server in config["static"].items():
        encoded = server["stamp"].removeprefix("sdns://")
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        kind, _, length = struct.unpack_from("<BQB", raw)
        assert kind == 2, f"{name} is not DNS over HTTPS"
        assert re.fullmatch(rb"[0-9.]{7,15}|\[[0-9a-f:]+\]", raw[10 : 10 + length]), f"{name} would be looked up first"
