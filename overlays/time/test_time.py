"""chrony by its effect: it asks its servers over NTS, and takes no other time."""

import datetime
import re
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from image.plan import Plan
from qemu.authority import Authority
from qemu.capture import Capture
from qemu.machine import Machine
from qemu.net import Network
from qemu.servers import DohServer, TimeServer

pytestmark = pytest.mark.row(6)

NAME = "time.example.org"


@pytest.fixture
def time_server(network: Network, authority: Authority) -> Iterator[TimeServer]:
    """A server of authenticated time under a name that the resolver asks for: not one below ``test``."""
    with TimeServer(network, authority, [NAME]) as server:
        yield server


def own_server(machine: Machine, authority: bytes = b"") -> None:
    """Name a time server of one's own, as a person would: by credentials, and nothing else."""
    machine.succeed(f"mkdir -p /run/credstore && printf %s {NAME} >/run/credstore/tau.time.server")
    if authority:
        assert machine.run("cat >/run/credstore/tau.time.ca", stdin=authority).status == 0
    machine.succeed("systemctl restart chrony.service")


def tracking(machine: Machine) -> list[str]:
    """What chronyc(1) says of the clock: [1] is the source, [-1] ``Not synchronised`` while there is none."""
    return machine.succeed("chronyc -c tracking").strip().split(",")


def test_it_runs_unprivileged_and_listens_to_nobody(host: Host, machine: Machine) -> None:
    assert host.service("chrony").is_running
    process = machine.succeed("systemctl show --value --property MainPID chrony.service")
    assert machine.succeed(f"stat -c %U /proc/{process}") == "_chrony"
    held = machine.succeed(f"grep -E '^Cap(Eff|Prm|Bnd|Amb)' /proc/{process}/status").split()[1::2]
    assert {int(each, 16) for each in held} == {1 << 25}  # CAP_SYS_TIME and no other
    assert machine.run("ss --listening --udp --numeric --no-header | grep -E ':(123|323) '").status != 0
    score = machine.succeed("systemd-analyze security --no-pager chrony.service | tail -n 1")
    assert float(re.findall(r": ([0-9.]+) ", score)[0]) < 2.0


def test_the_configured_servers_are_asked_for_nts_and_no_other(
    machine: Machine, plan: Plan, doh_server: DohServer, capture: Capture
) -> None:
    overlay = plan.overlay("time")
    assert overlay is not None
    servers = overlay.options["servers"]
    assert isinstance(servers, list)
    for server in servers:
        doh_server.wait_for(server, timeout=120)
    sources = [line.split(",") for line in machine.succeed("chronyc -c -N authdata").splitlines()]
    assert sources and {source[0] for source in sources} <= set(servers)
    assert {source[1] for source in sources} == {"NTS"}
    asked = [packet for packet in capture.sent() if packet.port == 123]
    assert [str(packet) for packet in asked if len(packet.payload) <= 48] == [], "a request without authentication"
    assert tracking(machine)[-1] == "Not synchronised"  # nobody at those names proved to be who they are


@pytest.mark.destructive
def test_time_is_taken_from_a_server_that_proves_who_it_is(
    machine: Machine, time_server: TimeServer, capture: Capture
) -> None:
    mark = capture.mark()
    machine.succeed("systemctl stop chrony.service; date --set='3 hours ago'")
    own_server(machine, time_server.ca_pem)
    machine.wait_until("chronyc -c tracking | grep -q ',Normal$'", timeout=120)
    assert abs(float(machine.succeed("date +%s")) - datetime.datetime.now(datetime.UTC).timestamp()) < 5
    requests = [packet for packet in capture.sent(mark) if packet.port == 123]
    assert {packet.destination for packet in requests} == {time_server.address}
    # 48 bytes are NTP's own (RFC 5905); the extension fields of NTS follow, a cookie among them (RFC 8915, 5).
    assert all(len(packet.payload) > 148 for packet in requests)


@pytest.mark.destructive
def test_a_server_of_another_authority_is_not_believed(
    machine: Machine, time_server: TimeServer, capture: Capture
) -> None:
    """The very same server, but nobody vouches for it."""
    mark = capture.mark()
    own_server(machine)
    refused = "journalctl --boot --unit chrony.service | grep -qi 'certificate'"
    machine.wait_until(f"{refused} || chronyc -c tracking | grep -q ',Normal$'", timeout=90)
    assert any(packet.port == 4460 for packet in capture.sent(mark))
    assert [str(packet) for packet in capture.sent(mark) if packet.port == 123] == []
    assert tracking(machine)[-1] == "Not synchronised"


@pytest.mark.destructive
def test_time_without_proof_is_not_taken(machine: Machine, time_server: TimeServer) -> None:
    """A server that answers plain NTP, well reached and never believed."""
    machine.succeed(f"chronyc add server {time_server.address} iburst")
    reached = f"chronyc -c -n sources | grep ',{time_server.address},' | cut -d, -f6 | grep -qE '^(17|37|77|177|377)$'"
    machine.wait_until(reached, timeout=90)
    assert tracking(machine)[-1] == "Not synchronised"


@pytest.mark.destructive
def test_a_lost_clock_starts_at_the_date_of_the_image(machine: Machine, plan: Plan) -> None:
    machine.succeed("systemctl stop chrony.service; rm -f /var/lib/chrony/chrony.drift")
    machine.succeed("timedatectl set-time '2001-02-03 04:05:06'")  # the machine's own clock (RTC) too
    assert machine.succeed("date +%Y") == "2001"
    machine.reboot(clean=False)
    image = datetime.datetime.fromisoformat(f"{plan.date}T00:00:00+00:00").timestamp()
    assert 0 <= float(machine.succeed("date +%s")) - image < 3600


def test_no_other_program_sets_the_clock(machine: Machine) -> None:
    assert machine.run("systemctl is-active systemd-timesyncd.service").text != "active"
    assert machine.run("pgrep -x 'ntpd|systemd-timesyn|openntpd'").status == 1
