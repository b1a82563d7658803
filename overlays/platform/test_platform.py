"""The platform by its effects: what is read only, what is written where, what a first boot makes."""

import json

from testinfra.host import Host

from image.plan import PLAN_PATH, Plan
from qemu.machine import Machine


def test_the_image_carries_its_own_plan(host: Host, plan: Plan) -> None:
    assert json.loads(host.file(PLAN_PATH).content_string) == json.loads(plan.to_json())


def test_root_is_verified_and_read_only(host: Host) -> None:
    root = host.mount_point("/")
    assert root.device == "/dev/mapper/root" and root.filesystem == "erofs" and "ro" in root.options
    assert host.run("dmsetup table root 2>/dev/null || cat /sys/block/dm-0/dm/uuid").stdout.startswith(
        ("0 ", "CRYPT-VERITY")
    )
    assert host.run("touch /usr/x").rc != 0
    assert host.run("mount -o remount,rw / && touch /usr/x").rc != 0


def test_every_file_of_the_plan_is_there_with_its_mode_and_owner(machine: Machine, plan: Plan) -> None:
    files = [file for file in plan.files if not file.path.startswith("/efi/")]  # on the boot partition
    script = "while read -r path; do stat --format='%n %a %U %G' \"$path\"; done"
    paths = "".join(f"{file.path}\n" for file in files)
    answer = machine.run(script, stdin=paths.encode())
    seen = {line.split(" ")[0]: line.split(" ")[1:] for line in answer.text.splitlines()}
    expected = {file.path: [f"{int(file.mode, 8):o}", file.owner, file.group] for file in files}
    assert seen == expected


def test_only_declared_paths_are_in_the_upper_layer_of_etc(machine: Machine, plan: Plan) -> None:
    found = machine.succeed("find /var/lib/tau/etc/upper -mindepth 1 -not -type d -printf '/etc/%P\\n'").splitlines()
    declared = [state.path for state in plan.state]
    undeclared = [path for path in found if not any(path == each or path.startswith(f"{each}/") for each in declared)]
    assert "/etc/machine-id" in found  # else nothing was looked at
    assert undeclared == []


def test_state_is_on_the_disk_with_its_mount_options(host: Host) -> None:
    for path, options in {"/var": {"nosuid", "nodev", "noexec"}, "/home": {"nosuid", "nodev"}}.items():
        mount = host.mount_point(path)
        assert mount.filesystem == "ext4" and options <= set(mount.options)


def test_partition_table(machine: Machine) -> None:
    table = json.loads(machine.succeed("sfdisk --json /dev/vda"))["partitiontable"]["partitions"]
    sizes = {(each["type"], each["size"] * 512 >> 10) for each in table}
    kib = {size for _, size in sizes}
    assert {1 << 20, 64 << 10, 2560 << 10, 256 << 10, 64} <= kib
    assert len(table) == 10
    end = max(each["start"] + each["size"] for each in table)
    total = int(machine.succeed("blockdev --getsz /dev/vda"))
    assert total - end < 4096, "the disk is not used to its end"


def test_the_kernel_is_in_the_image_once(machine: Machine) -> None:
    """In the unified kernel image on the ESP, and not beside it and in the root once more."""
    on_the_esp = "mount -o ro /dev/vda1 /mnt && find /mnt -type f -size +1M -printf '%P\\n'; umount /mnt"
    large = machine.succeed(f"{on_the_esp}; find / -xdev -type f -name '*vmlinuz*'").splitlines()
    assert [path.rpartition("/")[0] for path in large] == ["EFI/Linux"]


def test_the_kernel_looks_for_a_changed_disc(host: Host) -> None:
    """From power-on, so that the initrd finds a disc that spins up late: the drive itself says nothing."""
    assert host.file("/sys/module/block/parameters/events_dfl_poll_msecs").content_string.strip() == "2000"


def test_a_slow_machine_gets_the_login_on_its_serial_line(machine: Machine) -> None:
    """The unit of that login waits for the device, and is not started any more when the wait is over."""
    device = f"dev-{machine.settings.serial}.device"
    assert machine.succeed(f"systemctl show --value --property=JobRunningTimeoutUSec {device}") == "5min"


def test_a_slow_machine_gets_its_services(machine: Machine) -> None:
    """A service that takes longer to start is stopped, and stays so."""
    assert machine.succeed("systemctl show --value --property=TimeoutStartUSec systemd-logind.service") == "5min"


def test_it_says_who_it_is(host: Host, plan: Plan) -> None:
    told = host.check_output(". /etc/os-release && echo $PRETTY_NAME, $ID, like $ID_LIKE, $IMAGE_ID, $IMAGE_VERSION")
    assert told == f"Tau OS {plan.version}, tau, like debian, {plan.name}, {plan.version}"
    for path in ("/etc/issue", "/etc/issue.net", "/etc/motd"):
        assert host.file(path).content_string.startswith("Tau OS ")
    booted = host.check_output("bootctl list --json=short 2>/dev/null || true")
    assert "Debian" not in booted
