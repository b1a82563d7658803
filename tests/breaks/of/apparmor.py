"""Breaks of AppArmor: profiles that are gone, that allow all, that say nothing."""

from tests.breaks.model import Break, Edit, listener, sed

_REMOVE = "printf %s '{}' >/sys/kernel/security/apparmor/.remove"
_SERVICES = {
    "platform-/usr/lib/systemd/systemd-journald-systemd-journald": "systemd-journald",
    "platform-/usr/bin/udevadm-systemd-udevd": "systemd-udevd",
    "platform-/usr/lib/systemd/systemd-logind-systemd-logind": "systemd-logind",
    "platform-/usr/bin/dbus-daemon-dbus-daemon-system": "dbus-daemon-system",
    "network-/usr/lib/systemd/systemd-networkd-systemd-networkd": "systemd-networkd",
    "doh-/usr/sbin/dnscrypt-proxy-dnscrypt-proxy": "dnscrypt-proxy",
    "time-/usr/sbin/chronyd-/usr/sbin/chronyd": "/usr/sbin/chronyd",
    "ssh-/usr/sbin/sshd-sshd": "sshd",
}
_DENIED = [
    ("systemd-networkd", "cat /etc/shadow"),
    ("systemd-networkd", "ls /home"),
    ("systemd-udevd", "cat /etc/shadow"),
    ("systemd-udevd", "tee /var/lib/tau/by-udev"),
    ("systemd-logind", "cat /etc/shadow"),
    ("systemd-journald", "cat /etc/shadow"),
    ("dbus-daemon-system", "cat /etc/shadow"),
    ("dnscrypt-proxy", "cat /etc/shadow"),
    ("dnscrypt-proxy", "tee /var/lib/tau/by-resolver"),
    ("/usr/sbin/chronyd", "tee /var/lib/tau/by-chronyd"),
    ("sshd", "cat /etc/shadow"),
    ("sshd-auth", "cat /etc/ssh/sshd_config"),
    ("agetty", "cat /etc/shadow"),
]


def profile(name: str, rules: str) -> str:
    """Return a command that loads a profile in place of the one of that name."""
    text = f"abi <abi/4.0>,\\nprofile {name} {{ {rules} }}\\n"
    return f"printf '{text}' >/run/profile; apparmor_parser --replace --skip-cache /run/profile"


BREAKS = [
    Break("test_on", "it only complains", "enforce", guest="printf complain >/sys/module/apparmor/parameters/mode"),
    Break(
        "test_policy_fits_this_kernel",
        "the record is of another kernel",
        "running ==",
        guest=sed("/usr/lib/tau/apparmor/kernel-features", "s/posix_mqueue|fix_binfmt_elf_mmap/other/"),
    ),
    Break(
        "test_nothing_is_compiled_at_boot",
        "nothing is compiled",
        "hits ==",
        guest="mount -t tmpfs none /usr/lib/tau/apparmor/cache",
    ),
    Break(
        "test_nothing_is_compiled_at_boot",
        "a profile that was not compiled",
        "hits ==",
        guest="cp /etc/apparmor.d/agetty /etc/apparmor.d/another; sed -i s/agetty/another/ /etc/apparmor.d/another",
    ),
    Break(
        "test_nothing_is_compiled_at_boot",
        "the second line has work to do",
        "exec-condition",
        guest="mount --bind /bin/true /usr/lib/tau/apparmor/second-line; systemctl start apparmor",
    ),
    Break(
        "test_every_profile_is_loaded_and_enforced",
        "a profile that only complains",
        "enforce",
        guest="apparmor_parser --replace --Complain --skip-cache /etc/apparmor.d/agetty",
    ),
    Break(
        "test_every_profile_is_loaded_and_enforced",
        "a profile is missing",
        "<= set.loaded.",
        guest=_REMOVE.format("systemd-logind"),
    ),
    Break(
        "test_every_profile_is_loaded_and_enforced",
        "a profile for a program that is not there",
        "firefox",
        guest=profile("firefox", "file,"),
    ),
    *[
        Break(
            f"test_service_is_confined[{parameters}]",
            f"no profile {name}",
            "enforce",
            guest=_REMOVE.format(name),
        )
        for parameters, name in _SERVICES.items()
    ],
    Break("test_login_prompt_is_confined", "no profile agetty", "enforce", guest=_REMOVE.format("agetty")),
    Break(
        "test_no_unconfined_process_listens",
        "the resolver has no profile",
        "not loose",
        guest=_REMOVE.format("dnscrypt-proxy"),
    ),
    Break(
        "test_no_unconfined_process_listens",
        "one more that listens",
        "not loose",
        guest=listener("4711"),
    ),
    Break(
        "test_no_unconfined_service_listens_locally",
        "one more that listens",
        "not loose",
        guest=listener("/run/x.sock"),
    ),
    *[
        Break(
            f"test_denied_and_logged[{name}-{command}]",
            f"{name} allows everything, {command} too",
            "rc != 0",
            guest=profile(name, "file, capability, network, signal, ptrace, unix, dbus, mount,"),
        )
        for name, command in _DENIED
    ],
    Break(
        "test_denied_and_logged[agetty-cat /etc/shadow]",
        "nothing is logged",
        "no denial in the journal",
        guest=profile("agetty", "file, capability, deny /etc/shadow r,"),
    ),
    Break(
        "test_profile_still_allows",
        "a profile that allows nothing",
        "udev.conf",
        guest=profile("systemd-udevd", "/usr/** rm,"),
    ),
    Break(
        "test_no_denials_in_normal_operation",
        "a denial before the boot was complete",
        "not denied",
        # Services watch how short memory is, and do without where they may not.
        image=(Edit("apparmor/root/etc/apparmor.d/abstractions/tau-service", "^.*memory[.]pressure rw,\n"),),
    ),
]
WITHOUT: dict[str, str] = {}
