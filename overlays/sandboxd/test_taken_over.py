"""A sandboxd that was taken over, which the helper serves all the same: what it gets is what users have asked for."""

import json
import re
from collections.abc import Callable

import pytest

from overlays.sandboxd.conftest import APP
from overlays.sandboxd.test_attacks import AS_SECOND, OUTSIDE, bring_probes
from overlays.sandboxd.test_run import LEFT
from qemu.machine import Machine
from qemu.terminal import Terminal

pytestmark = [pytest.mark.row(12), pytest.mark.destructive, pytest.mark.xdist_group("apps")]


def test_a_sandboxd_that_was_taken_over_grants_what_is_declared_and_nothing_else(
    terminal: Terminal, machine: Machine, installed: Callable[..., str]
) -> None:
    """It has sandboxd's name, its rights, and what users have handed to it; what each asked for is all that it gets."""
    user, start = terminal, installed("network", "filesystem:ro:documents")
    bring_probes(machine, "taken_over", "wishes")
    as_sandboxd = f"setpriv --reuid=sandboxd --regid=sandboxd --clear-groups python3 -I {OUTSIDE}/taken_over.py"
    user.succeed("mkdir ~/Documents ~/Work; echo text >~/Documents/of-documents; echo text >~/of-home")
    user.succeed(f"{start} sh -c 'read x' <&1 >/tmp/o 2>&1 & until tau ps | grep {APP}; do sleep 0.2; done", 120)
    number = machine.succeed("ls /run/tau/instances")
    said = json.loads(machine.succeed(f"{as_sandboxd} decide {number}", 240))
    # Two are declared; to refuse, or to ask about, what is not changes nothing, and is no error.
    of_it = said["of it"]
    assert of_it["1 DONE"] == 2 and not {"3 DONE", "255 DONE"} & set(of_it), said
    assert set(said["of none"]) <= {"NOT_THERE", "BAD_REQUEST"}
    attached = machine.succeed("awk '$2 ~ \"^/run/tau/attached/\" { print $2 }' /proc/mounts")
    assert re.fullmatch(rf"/run/tau/attached/app-tau-\d+-{APP}-{number}/files/documents", attached), attached
    decided = machine.succeed("nft list map inet tau_apps decided")
    assert sorted(re.findall(r"\. 0x0*(\d) : goto (\w+)", decided)) == [("1", "allowed"), ("2", "refused")], decided
    user.succeed("kill %1; wait", 60)
    hung_up, rest = ["hung up"] * 10, ["NO_TICKET"] * 4 + ["BAD_REQUEST BAD_REQUEST"]
    assert machine.succeed(f"{as_sandboxd} garbage", 120).splitlines() == hung_up + rest
    machine.succeed("systemctl stop sandboxd.service")
    # What the helper gives to be told of packets is good for nothing else: the kernel looks at who asks, too.
    assert machine.succeed(f"{as_sandboxd} listen", 60).splitlines() == ["Operation not permitted"] * 2
    assert machine.succeed(f"python3 -I {OUTSIDE}/taken_over.py listen", 60).splitlines()[0] == "done", "no control"
    machine.succeed(f"systemd-run --collect --unit=taken-over -p StandardOutput=file:/tmp/serves {as_sandboxd} serve")
    machine.wait_until("grep -q serves /tmp/serves", 60)
    wishes = (
        *("REMOVE_START=RUN", "STAGE_START=RUN", "PICK_START=RUN", "START_REMOVE=REMOVE", "PICK_REMOVE=REMOVE"),
        *("REMOVE_PICK=PICK", "START_PICK=PICK", "REMOVE_STAGE=INSTALL", "START_START=AGENT", "GONE=RUN"),
        *("TWICE_START_START_START=RUN",),
    )
    shown = user.succeed(f"python3 -I {OUTSIDE}/wishes.py {' '.join(wishes)}", 240)
    lines = shown.splitlines()
    assert lines[:9] == [f"{wish.replace('=', ' ')}: NO_TICKET, NO_TICKET" for wish in wishes[:9]], shown
    assert lines[9:11] == ["KEEP RUN: ", "KEPT_START REMOVE: NO_TICKET"], shown
    # And a control: of one that is used as it is meant comes a start, with all that is declared, and nothing more.
    assert re.fullmatch(r"TWICE_START_START_START RUN: BAD_REQUEST, DONE \d+, NO_TICKET", lines[11]), shown
    assert lines[12] == "ended with 3" and "of-documents" in lines and "of-home" not in shown, shown
    assert "cannot access '/dev/video0'" in shown, shown
    machine.succeed("useradd --create-home second")
    by_second = f"{AS_SECOND} --wait --pipe -- python3 -I {OUTSIDE}/wishes.py"
    assert machine.succeed(f"{by_second} REMOVE=REMOVE START=RUN PICK=PICK", 120).splitlines() == [
        f"{verb} {wish}: NOT_THERE" for verb, wish in (("REMOVE", "REMOVE"), ("START", "RUN"), ("PICK", "PICK"))
    ]
    machine.succeed("systemctl stop taken-over.service")
    assert f"{APP}  1.2  network, filesystem:ro:documents" in user.succeed("tau list", 60)
    assert machine.succeed("ls /var/lib/tau/sandbox/staged") == ""
    machine.wait_until(
        f'test -z "$({LEFT}; tail -n +2 /sys/fs/cgroup/system.slice/tau-helper.service/cgroup.procs)"', 60
    )
    assert "Traceback" not in machine.succeed("journalctl --boot --unit=tau-helper.service --output=cat")
