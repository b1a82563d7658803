"""What the machine sends when nobody asks it for anything."""

import time

import pytest

from image.plan import Plan
from qemu.capture import HOUSEKEEPING, Allowed, Capture
from qemu.machine import Machine
from qemu.net import SERVERS_V4, SERVERS_V6
from qemu.servers import DohServer

pytestmark = pytest.mark.row(6)

#: Every name that is not the checks' own leads to the sink: that is where the image's time servers are.
SINK = (SERVERS_V4["sink"], SERVERS_V6["sink"])
ALLOWED = (
    *HOUSEKEEPING,
    Allowed("DNS over HTTPS", "tcp", (SERVERS_V4["doh"], SERVERS_V6["doh"]), 443),
    Allowed("network time security", "tcp", SINK, 4460),
    Allowed("authenticated time", "udp", SINK, 123),
)


def check(capture: Capture, doh: DohServer, plan: Plan) -> None:
    assert len(capture.sent()) > 10, "nothing was captured: this would prove nothing"
    assert [str(packet) for packet in capture.unexpected(ALLOWED)] == []
    overlay = plan.overlay("time")
    servers = overlay.options["servers"] if overlay else []
    assert isinstance(servers, list)
    # Names that checks of other overlays ask for are theirs; the rest is the system's.
    asked = {name.split(" ")[0].rstrip(".") for name in doh.names()}
    # The resolver looks whether a server answers, and how it answers for a name that is not there.
    asked = {name for name in asked if name and not name.endswith(".test.dnscrypt")}
    assert {name for name in asked if not name.endswith("example.org")} <= set(servers)


def test_the_capture_would_have_seen_a_call_home(machine: Machine, capture: Capture) -> None:
    mark = capture.mark()
    machine.run("timeout 3 bash -c 'exec 3<>/dev/tcp/192.0.2.80/80; echo hello >&3'")
    assert [packet.destination for packet in capture.unexpected(ALLOWED, mark)] != []


@pytest.mark.waits
def test_from_power_on_through_ten_idle_minutes(fresh_machine: object, doh_server: DohServer, plan: Plan) -> None:
    with fresh_machine() as machine:  # type: ignore[operator]
        machine.boot()
        started = float(machine.succeed("cut -d' ' -f1 /proc/uptime"))
        time.sleep(600)
        assert float(machine.succeed("cut -d' ' -f1 /proc/uptime")) - started > 590
        check(machine.capture, doh_server, plan)


def test_the_system_names_no_web_page(machine: Machine) -> None:
    release = machine.succeed("cat /etc/os-release /usr/lib/os-release")
    assert "ID=" in release
    assert "_URL=" not in release and "://" not in release
    greeting = "/etc/issue /etc/issue.net /etc/motd /etc/issue.d /etc/motd.d /run/issue.d /run/motd.d"
    # -q: what is found counts, although not all of these are there (grep(1), "EXIT STATUS").
    assert machine.run(f"grep -rqs '://' {greeting}").status != 0


def test_nothing_is_there_that_would_call(machine: Machine) -> None:
    timers = machine.succeed("systemctl list-timers --all --no-legend").splitlines()
    units = {word for line in timers for word in line.split() if word.endswith(".timer")}
    assert units <= {"systemd-tmpfiles-clean.timer", "tau-sudo-prune.timer", "fstrim.timer", "e2scrub_all.timer"}
    packages = machine.succeed("dpkg-query -W -f '${Package}\\n'").splitlines()
    assert not {
        "popularity-contest",
        "apport",
        "whoopsie",
        "reportbug",
        "unattended-upgrades",
        "motd-news-config",
    } & set(packages)
