"""The platform on machines of its own: first boots, power cuts, optical discs, sticks, two disks, a flipped byte."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from image.artefact import sha256_file
from image.plan import Plan
from image.toolbox import Toolbox
from qemu import artefact
from qemu.machine import Machine

Make = Callable[..., Machine]


def state_of(machine: Machine) -> dict[str, str]:
    """What a first boot makes and what is one machine's own: its id, its keys, its seed, and each UUID of its disk."""
    disk = f"/dev/{machine.succeed('cat /run/tau/disk')}"
    table = json.loads(machine.succeed(f"sfdisk --json {disk}"))["partitiontable"]
    state = {
        "machine-id": machine.succeed("cat /etc/machine-id"),
        "seed": machine.succeed("sha256sum </var/lib/systemd/random-seed"),
        "table": table["id"],
    }
    for key in machine.run("ls /var/lib/tau/ssh/ssh_host_*_key.pub").text.split():
        state[key] = machine.succeed(f"cat {key}")
    for partition in table["partitions"]:
        node, name = partition["node"], partition["name"]
        if not name.startswith("tau_"):  # the root and its hashes are found by these, on every machine
            state[f"{name} {node.removeprefix(disk)}"] = partition["uuid"]
        if name in ("tau-audit", "tau-var", "tau-home"):
            state[f"file system of {name}"] = machine.succeed(f"blkid --probe --match-tag UUID --output value {node}")
    return state


def clean_boot(machine: Machine) -> None:
    assert machine.boot() == "running"
    assert machine.denied() == []


def somebody_logs_in(machine: Machine, plan: Plan) -> None:
    """On the console, where the image has users; and root's rights come by sudo, where it has that."""
    if plan.overlay("users") is None:
        return
    terminal = machine.terminal()
    terminal.log_in()
    terminal.succeed("touch ~/mine")
    if plan.overlay("sudo") is not None:
        terminal.sudo("touch /run/by-sudo")
        assert machine.succeed("find /var/log/sudo-io -name log | wc -l") == "1"
        machine.succeed("test -e /run/by-sudo")


#: For the checks that use the machine below: one process has it.
together = pytest.mark.xdist_group("installed")


@pytest.fixture(scope="module")
def installed(fresh_machine: Make) -> Machine:
    """A machine that has had its first boot and is off; its snapshot ``up`` is of before it went off."""
    machine = fresh_machine()
    clean_boot(machine)
    machine.succeed("echo kept >/var/lib/tau/kept; echo kept >/home/kept; sync")
    machine.first = state_of(machine)  # type: ignore[attr-defined]
    machine.snapshot("up")
    machine.shut_down()
    return machine


@together
def test_a_second_boot_keeps_all_and_makes_nothing(installed: Machine) -> None:
    clean_boot(installed)
    now, first = state_of(installed), dict(installed.first)  # type: ignore[attr-defined]
    assert now.pop("seed") != first.pop("seed")
    assert now == first
    assert installed.succeed("cat /var/lib/tau/kept /home/kept") == "kept\nkept"
    installed.shut_down()


@together
def test_a_stick_beside_an_installed_disk_of_its_version(installed: Machine, fresh_machine: Make, plan: Plan) -> None:
    """It keeps a state of its own, has nothing in common with the other machine, and leaves its disk alone."""
    disk = installed.files.disk
    with fresh_machine(medium="usb", extra_disk=disk) as machine:
        before = sha256_file(disk)
        clean_boot(machine)
        assert machine.succeed("lsblk -no TRAN /dev/sda | head -n 1") == "usb"
        assert machine.succeed("findmnt -no SOURCE /var; findmnt -no SOURCE /home").count("/dev/sda") == 2
        assert machine.run("test -e /var/lib/tau/kept").status == 1
        stick, other = state_of(machine), installed.first  # type: ignore[attr-defined]
        assert stick.keys() == other.keys()
        assert {name for name in stick if stick[name] == other[name]} == set()
        somebody_logs_in(machine, plan)
        machine.shut_down()
    assert sha256_file(disk) == before


@together
def test_an_optical_disc_beside_an_installed_disk_is_live(
    installed: Machine, fresh_machine: Make, image: Path, plan: Plan
) -> None:
    """It writes to neither."""
    disk = installed.files.disk
    with fresh_machine(medium="cdrom", extra_disk=disk) as machine:
        before = [sha256_file(path) for path in (disk, image)]
        clean_boot(machine)
        assert machine.succeed("findmnt -no FSTYPE /var; findmnt -no FSTYPE /home") == "tmpfs\ntmpfs"
        machine.console.expect("Live system: nothing is kept .*\n(.*\n)*.* login: ", timeout=60)
        somebody_logs_in(machine, plan)
        machine.succeed("touch /var/x /home/x /etc/x")
        machine.shut_down()
    assert [sha256_file(path) for path in (disk, image)] == before


@together
def test_a_flipped_byte_is_noticed_and_never_used(installed: Machine, image: Path, toolbox: Toolbox) -> None:
    installed.restore("up")
    path = installed.succeed("ls /usr/lib/modules/*/kernel/fs/ntfs3/ntfs3.ko*")
    installed.succeed(f"sha256sum {path}")  # it can be read while it is whole
    installed.power_cut()
    offset, _ = artefact.extent(toolbox, image, path)
    installed.damage_image(offset)
    installed.restore("up")
    mark, events = installed.console.mark(), installed.monitor.mark()
    installed.succeed(f"(sleep 1; sha256sum {path}) >/dev/null 2>&1 &")
    installed.console.expect("verity.*corrupted[^$]*Kernel panic", timeout=60, since=mark)
    installed.wait_for_restart(events, timeout=120)  # panic=10


#: Prints how long the initrd waits for the root, and for a service.
PATIENT = {
    "systemd.extra-unit.tau-patient.service": b"""\
[Unit]
DefaultDependencies=no
ConditionPathExists=/etc/initrd-release
[Service]
Type=oneshot
ExecStart=systemctl show --property=JobRunningTimeoutUSec,TimeoutStartUSec dev-mapper-root.device systemd-udevd.service
StandardOutput=journal+console
""",
    "systemd.unit-dropin.sysinit.target~60-tau-patient": b"[Unit]\nWants=tau-patient.service\n",
}


def test_power_cuts_in_the_first_boot(fresh_machine: Make) -> None:
    """One after the other in one first boot: what a cut leaves is what the next one finds."""
    with fresh_machine() as machine:
        machine.settings = replace(machine.settings, credentials=machine.settings.credentials | PATIENT)
        for sign in ("Starting tau-partitions", "Starting tau-state", "Reached target initrd-fs"):
            machine.start()
            machine.console.expect(sign, timeout=240)
            assert "JobRunningTimeoutUSec=5min" in machine.console.text, "a slow machine would give up its root"
            assert "TimeoutStartUSec=5min" in machine.console.text, "a slow machine would look for no disk"
            machine.power_cut()
        clean_boot(machine)
        assert machine.succeed("lsblk --noheadings --list --output TYPE /dev/vda").count("part") == 10
        assert machine.succeed("test -e /var/lib/tau/seeded && findmnt -no FSTYPE /home") == "ext4"


def test_a_stick_beside_its_twin_is_live(fresh_machine: Make) -> None:
    """Two disks that never booted carry the same ESP: neither may be taken."""
    twin = fresh_machine()
    twin.make_disks()
    with fresh_machine(medium="usb", extra_disk=twin.files.disk) as machine:
        clean_boot(machine)
        assert machine.succeed("findmnt -no FSTYPE /var; findmnt -no FSTYPE /home") == "tmpfs\ntmpfs"
        assert "2 disks claim" in machine.succeed("cat /run/tau/live")
