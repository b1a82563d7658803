"""Breaks of the platform."""

from tests.breaks.model import Boot, Break, Edit, sed

#: In the initrd /usr is read only (ProtectSystem=auto, systemd-system.conf(5)): a changed copy is laid over the file.
_MEDIUM = "chmod 0755 /run/medium; mount --bind /run/medium /usr/lib/tau/medium"
_LIVE = f"printf '#!/bin/bash\\nmkdir -p /run/tau\\necho broken >/run/tau/live\\n' >/run/medium; {_MEDIUM}"
_FIRST = (
    "old='*) live' new='*) disk=${disks[0]} ;; no) live' text=$(</usr/lib/tau/medium);"
    f' printf \'%s\\n\' "${{text/"$old"/"$new"}}" >/run/medium; {_MEDIUM}'
)


def _usual_time(setting: str) -> str:
    """Let the system wait for the 90 seconds that systemd's own defaults give."""
    folder = "/run/systemd/system.conf.d"
    return f"mkdir {folder}; printf '[Manager]\\n{setting}=90\\n' >{folder}/90-usual.conf; systemctl daemon-reload"


BREAKS = [
    Break(
        "test_the_image_carries_its_own_plan",
        "another plan in the image",
        "json.loads",
        guest=sed("/usr/lib/tau/plan.json", "s/hardening/softening/"),
    ),
    Break(
        "test_root_is_verified_and_read_only",
        "/usr is made writable by a layer in memory",
        r"touch /usr/x",
        guest="mkdir /run/up /run/work; mount -t overlay -o lowerdir=/usr,upperdir=/run/up,workdir=/run/work x /usr",
    ),
    Break(
        "test_every_file_of_the_plan_is_there_with_its_mode_and_owner",
        "another mode",
        "seen == expected",
        guest="chmod 0644 /etc/sudoers",
    ),
    Break(
        "test_every_file_of_the_plan_is_there_with_its_mode_and_owner",
        "another owner",
        "seen == expected",
        guest="chown games /etc/hosts",
    ),
    Break(
        "test_every_file_of_the_plan_is_there_with_its_mode_and_owner",
        "a file is missing",
        "seen == expected",
        guest="rm /etc/hosts",
    ),
    Break(
        "test_only_declared_paths_are_in_the_upper_layer_of_etc",
        "a file that no overlay declares",
        r"undeclared == \[\]",
        guest="touch /etc/undeclared",
    ),
    Break(
        "test_state_is_on_the_disk_with_its_mount_options",
        "programs run from /var",
        "options <= set",
        guest="mount -o remount,exec /var",
    ),
    Break(
        "test_state_is_on_the_disk_with_its_mount_options",
        "device nodes open in /home",
        "options <= set",
        guest="mount -o remount,dev /home",
    ),
    Break(
        "test_state_is_on_the_disk_with_its_mount_options",
        "/home is in memory",
        "filesystem == .ext4.",
        guest="umount --lazy /home; mount -t tmpfs -o nosuid,nodev home /home",
    ),
    Break(
        "test_partition_table",
        "no room for the next version",
        "<= kib",
        guest="for n in $(sfdisk --dump /dev/vda | grep -n 'size=     5242880' | sed 's/.*vda\\([0-9]*\\) .*/\\1/'); do"
        " sfdisk --quiet --no-reread --no-tell-kernel --delete /dev/vda $n; done",
    ),
    Break(
        "test_partition_table",
        "one partition is lost",
        "len.table. == 10",
        guest="sfdisk --quiet --no-reread --no-tell-kernel --delete /dev/vda 6",
    ),
    Break(
        "test_partition_table",
        "the end of the disk is not used",
        "not used to its end",
        guest="echo ', -1G' | sfdisk --quiet --no-reread --no-tell-kernel -N 10 /dev/vda",
    ),
    Break(
        "test_the_kernel_is_in_the_image_once",
        "it lies on the ESP, too",
        "EFI/Linux",
        guest="mkdir /run/esp; mount /dev/vda1 /run/esp; truncate --size=2M /run/esp/vmlinuz; umount /run/esp",
    ),
    Break(
        "test_the_kernel_is_in_the_image_once",
        "it lies in the root, too",
        "EFI/Linux",
        image=(Edit("platform/finalize.chroot", "tau-build", "tau-kernel"),),
    ),
    Break(
        "test_the_kernel_looks_for_a_changed_disc",
        "it looks for none",
        "2000",
        guest="echo 0 >/sys/module/block/parameters/events_dfl_poll_msecs",
    ),
    Break(
        "test_a_slow_machine_gets_the_login_on_its_serial_line",
        "the usual time for devices",
        "5min",
        guest=_usual_time("DefaultDeviceTimeoutSec"),
    ),
    Break(
        "test_a_slow_machine_gets_its_services",
        "the usual time for services",
        "5min",
        guest=_usual_time("DefaultTimeoutStartSec"),
    ),
    Break(
        "test_it_says_who_it_is",
        "another name",
        "Tau OS",
        guest=sed("/usr/lib/os-release", "s/^PRETTY_NAME=.*/PRETTY_NAME=Debian/"),
    ),
    Break(
        "test_it_says_who_it_is",
        "another greeting",
        "startswith",
        guest="echo Debian >/etc/motd",
    ),
    # test_platform_media.py
    Break(
        "test_a_second_boot_keeps_all_and_makes_nothing",
        "what was written is lost",
        "lib/tau/kept",
        boot=Boot(command="rm -f /var/lib/tau/kept"),
    ),
    Break(
        "test_a_second_boot_keeps_all_and_makes_nothing",
        "the partition table is written anew",
        "now == first",
        boot=Boot(
            command="read -r uuid </proc/sys/kernel/random/uuid;"
            " sfdisk --quiet --no-reread --no-tell-kernel --part-uuid /dev/vda 5 $uuid"
        ),
    ),
    Break(
        "test_a_second_boot_keeps_all_and_makes_nothing",
        "the ssh server's key is another one",
        "now == first",
        boot=Boot(
            command="ssh-keygen -q -t ed25519 -N '' -f /run/new; cp /run/new.pub $(ls /var/lib/tau/ssh/ssh_host_*.pub)"
        ),
    ),
    Break(
        "test_a_stick_beside_an_installed_disk_of_its_version",
        "each disk gives its ESP the same UUID",
        "== set",
        image=(
            Edit(
                "platform/initrd/usr/lib/tau/state",
                r'"\$number" "\$\(</proc/sys/kernel/random/uuid\)"',
                '"$number" 11111111-2222-4333-8444-555555555555',
            ),
        ),
    ),
    Break(
        "test_power_cuts_in_the_first_boot",
        "a partition is missing afterwards",
        "== 10",
        boot=Boot(command="sfdisk --quiet --no-reread --delete /dev/vda 5; partx --delete --nr 5 /dev/vda"),
    ),
    Break(
        "test_power_cuts_in_the_first_boot",
        "the initrd has the usual time for devices",
        "give up its root",
        boot=Boot(kernel="systemd.default_device_timeout_sec=90"),
    ),
    Break(
        "test_power_cuts_in_the_first_boot",
        "the initrd has the usual time for services",
        "look for no disk",
        boot=Boot(kernel="systemd.default_timeout_start_sec=90"),
    ),
    Break(
        "test_power_cuts_in_the_first_boot",
        "the first boot is never completed",
        "seeded",
        boot=Boot(command="rm -f /var/lib/tau/seeded"),
    ),
    Break(
        "test_an_optical_disc_beside_an_installed_disk_is_live",
        "/home has no limit in memory",
        "tmpfs",
        boot=Boot(command="umount /home; mount -t ramfs -o mode=0755,nosuid,nodev home /home"),
    ),
    Break(
        "test_an_optical_disc_beside_an_installed_disk_is_live",
        "the login prompt does not say so",
        "Live system",
        boot=Boot(command="rm -f /run/issue.d/50-tau-live.issue"),
    ),
    Break(
        "test_an_optical_disc_beside_an_installed_disk_is_live",
        "something writes to the other disk",
        "== before",
        boot=Boot(command="echo x | dd of=/dev/vda bs=512 seek=20000000 conv=notrunc,fsync status=none"),
    ),
    Break(
        "test_a_stick_beside_an_installed_disk_of_its_version",
        "the state is not on the stick",
        "== 2",
        boot=Boot(initrd=_LIVE),
    ),
    Break(
        "test_a_stick_beside_its_twin_is_live",
        "the first of two equal disks is taken",
        "tmpfs",
        boot=Boot(initrd=_FIRST),
    ),
    Break(
        "test_a_flipped_byte_is_noticed_and_never_used",
        "corruption is no reason to stop",
        "verity.*corrupted",
        image=(Edit("platform/overlay.yaml", "panic-on-corruption$", "ignore-corruption"),),
    ),
]
WITHOUT: dict[str, str] = {}
