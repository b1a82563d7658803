"""The platform on machines of its own: first boots, power cuts, optical discs, sticks, two disks, a flipped byte."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from image.plan import Plan
from image.toolbox import Toolbox
from qemu import artefact
from qemu.machine import Machine

Make = Callable[..., Machine]


def state_of(machine: Machine) -> dict[str, str]:
    """What is one machine's own, and what a first boot makes."""
    commands = {
        "machine-id": "cat /etc/machine-id",
        "esp": "sfdisk --part-uuid /dev/vda 1",
        "table": "sfdisk --dump /dev/vda",
        "seed": "sha256sum </var/lib/systemd/random-seed",
    }
    return {name: machine.succeed(command) for name, command in commands.items()}


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
    """A machine that has had its first boot and is off."""
    machine = fresh_machine()
    clean_boot(machine)
    machine.succeed("echo kept >/var/lib/tau/kept; echo kept >/home/kept; sync")
    machine.first = state_of(machine)  # type: ignore[attr-defined]
    machine.shut_down()
    return machine


@together
def test_a_second_boot_keeps_all_and_makes_nothing(installed: Machine) -> None:
    clean_boot(installed)
    now, first = state_of(installed), installed.first  # type: ignore[attr-defined]
    assert {name: now[name] for name in ("machine-id", "esp", "table")} == {
        name: first[name] for name in ("machine-id", "esp", "table")
    }
    assert now["seed"] != first["seed"]
    assert installed.succeed("cat /var/lib/tau/kept /home/kept") == "kept\nkept"
    installed.shut_down()


@together
def test_two_machines_have_nothing_in_common(installed: Machine, fresh_machine: Make) -> None:
    with fresh_machine() as other:
        clean_boot(other)
        second = state_of(other)
    assert {name for name in second if second[name] == installed.first[name]} == set()  # type: ignore[attr-defined]


@pytest.mark.parametrize("sign", ["Starting tau-partitions", "Starting tau-state", "Reached target initrd-fs"])
def test_a_power_cut_in_the_first_boot(fresh_machine: Make, sign: str) -> None:
    with fresh_machine() as machine:
        machine.start()
        machine.console.expect(sign, timeout=240)
        machine.power_cut()
        clean_boot(machine)
        assert machine.succeed("lsblk --noheadings --list --output TYPE /dev/vda").count("part") == 10
        assert machine.succeed("test -e /var/lib/tau/seeded && findmnt -no FSTYPE /home") == "ext4"
        assert machine.succeed("systemd-analyze verify default.target 2>&1 | wc -l") is not None


def test_an_optical_disc_comes_up_live(fresh_machine: Make, image: Path, plan: Plan) -> None:
    before = hashlib.file_digest(image.open("rb"), "sha256").hexdigest()
    with fresh_machine(medium="cdrom") as machine:
        clean_boot(machine)
        assert machine.succeed("findmnt -no FSTYPE /var; findmnt -no FSTYPE /home") == "tmpfs\ntmpfs"
        machine.console.expect("Live system: nothing is kept .*\n(.*\n)*.* login: ", timeout=60)
        somebody_logs_in(machine, plan)
        machine.succeed("touch /var/x /home/x /etc/x")
    assert hashlib.file_digest(image.open("rb"), "sha256").hexdigest() == before


def test_a_stick_keeps_its_own_state(fresh_machine: Make, plan: Plan) -> None:
    with fresh_machine(medium="usb") as machine:
        clean_boot(machine)
        assert machine.succeed("lsblk -no TRAN /dev/sda | head -n 1") == "usb"
        assert machine.succeed("findmnt -no SOURCE /var").startswith("/dev/sda")
        somebody_logs_in(machine, plan)


@together
def test_a_disc_beside_an_installed_disk_leaves_it_alone(installed: Machine, fresh_machine: Make) -> None:
    disk = installed.files.disk
    with fresh_machine(medium="cdrom", extra_disk=disk) as machine:
        before = hashlib.file_digest(disk.open("rb"), "sha256").hexdigest()
        clean_boot(machine)
        assert machine.succeed("findmnt -no FSTYPE /var; findmnt -no FSTYPE /home") == "tmpfs\ntmpfs"
        machine.shut_down()
    assert hashlib.file_digest(disk.open("rb"), "sha256").hexdigest() == before


@together
def test_a_stick_beside_an_installed_disk_of_its_version(installed: Machine, fresh_machine: Make) -> None:
    with fresh_machine(medium="usb", extra_disk=installed.files.disk) as machine:
        clean_boot(machine)
        assert machine.succeed("findmnt -no SOURCE /var; findmnt -no SOURCE /home").count("/dev/sda") == 2
        assert machine.run("test -e /var/lib/tau/kept").status == 1


def test_a_stick_beside_its_twin_is_live(fresh_machine: Make) -> None:
    """Two disks that never booted carry the same ESP: neither may be taken."""
    twin = fresh_machine()
    twin.damage_disk(15 << 30, 512)  # makes the disk; far behind the image
    with fresh_machine(medium="usb", extra_disk=twin.files.disk) as machine:
        clean_boot(machine)
        assert machine.succeed("findmnt -no FSTYPE /var; findmnt -no FSTYPE /home") == "tmpfs\ntmpfs"
        assert "2 disks claim" in machine.succeed("cat /run/tau/live")


def test_a_flipped_byte_is_noticed_and_never_used(fresh_machine: Make, image: Path, toolbox: Toolbox) -> None:
    with fresh_machine() as machine:
        clean_boot(machine)
        path = machine.succeed("ls /usr/lib/modules/*/kernel/fs/ntfs3/ntfs3.ko*")
        machine.succeed(f"sha256sum {path}")  # it can be read while it is whole
        machine.shut_down()
        offset, _ = artefact.extent(toolbox, image, path)
        machine.damage_disk(offset, 1)
        assert machine.boot() == "running"  # the file is not used by a boot
        mark, events = machine.console.mark(), machine.monitor.mark()
        machine.shell.run("echo 'reading' >/dev/kmsg", 30)
        machine.shell._send(f"RUN 0 30 {len(path) + 10} 0\nsha256sum {path}".encode())
        machine.console.expect("verity.*corrupted[^$]*Kernel panic", timeout=60, since=mark)
        machine.wait_for_restart(events, timeout=120)  # panic=10
