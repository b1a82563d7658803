"""Breaks of the hardening: one setting after another taken back."""

from tests.breaks.model import Break, Edit, over, sed

MODULES = "/usr/lib/modprobe.d/60-tau-modules.conf"
LIST = "/usr/lib/tau/root-units.d/10-system.conf"
_CALLS = "test_system_calls_that_users_are_refused"
_TRAPS = "test_traps_in_shared_folders_do_not_work"
_CORES = "test_no_core_dumps"
_SUID = "test_setuid_gives_nothing_where_people_write"
_NODES = "test_device_nodes_do_not_open_where_people_write"
_OVERLAY = "hardening/overlay.yaml"


def _sysctl(check: str, key: str, value: object, says: str, what: str = "") -> Break:
    """A sysctl that has another value."""
    return Break(check, what or f"{key}={value}", says, guest=f"sysctl -w {key}={value}")


def _word(check: str, word: str, says: str) -> Break:
    """A word that is not on the kernel's command line."""
    pattern = f"^ +- {word.replace('.', '[.]')}$"
    return Break(check, f"booted without {word}", says, image=(Edit(_OVERLAY, pattern),))


def _mounted(check: str, place: str, option: str, says: str) -> Break:
    """A file system whose option is taken back."""
    mount = "/var" if place == "/var/tmp" else place
    # Of this mount alone: an overlay takes no other change.
    command = f"mount -o remount,bind,{option} {mount}" if mount == "/etc" else f"mount -o remount,{option} {mount}"
    return Break(f"{check}[{place}]", f"{mount} is mounted {option}", says, guest=command)


BREAKS = [
    Break(
        "test_command_line_is_the_plan_s",
        "booted with other words than the plan's",
        r"== \[\]",
        guest=over("/proc/cmdline", "sed s/slab_nomerge//"),
    ),
    Break(
        "test_no_word_of_the_command_line_is_unknown_to_the_kernel",
        "a word that no kernel knows",
        "unknown",
        image=(Edit(_OVERLAY, "^( +- )slab_nomerge$", r"\1slab_nomerge\n\1tau_no_such_word=1"),),
    ),
    _word("test_lockdown", "lockdown=confidentiality", "confidentiality"),
    _word("test_debugfs_is_not_there", "debugfs=off", "mount -t debugfs"),
    _word("test_mounted_file_system_is_not_written_to_by_its_device", "bdev_allow_write_mounted=0", "busy"),
    _word("test_no_programs_of_32_bits", "ia32_emulation=0", "126"),
    Break(
        "test_system_calls_of_one_architecture_alone",
        "PID 1 lets all architectures through",
        "Seccomp",
        image=(
            Edit(
                "hardening/root/usr/lib/systemd/system.conf.d/60-tau-system-calls.conf",
                "^SystemCallArchitectures=.*",
            ),
        ),
    ),
    _sysctl("test_every_setting_of_the_files_is_in_force", "kernel.sysrq", 1, "wrong"),
    _sysctl("test_every_setting_of_the_files_is_in_force", "net.ipv4.conf.lo.rp_filter", 0, "wrong"),
    _sysctl("test_kernel_log_and_addresses_are_hidden", "kernel.dmesg_restrict", 0, "not permitted"),
    _sysctl("test_kernel_log_and_addresses_are_hidden", "kernel.kptr_restrict", 0, "addresses =="),
    _sysctl(_CALLS, "kernel.perf_event_paranoid", 1, "perf_event_open"),
    _sysctl(_CALLS, "kernel.io_uring_disabled", 0, "IO_URING_SETUP"),
    _sysctl(_CALLS, "kernel.io_uring_disabled", 1, "IO_URING_SETUP"),
    _sysctl(_CALLS, "vm.unprivileged_userfaultfd", 1, "userfaultfd"),
    _sysctl("test_user_namespaces_are_for_units_only", "kernel.unprivileged_userns_clone", 1, "refused.rc"),
    _sysctl("test_user_namespaces_are_for_units_only", "user.max_user_namespaces", 0, "PrivateUsers=yes"),
    _sysctl("test_users_trace_no_processes", "kernel.yama.ptrace_scope", 0, "EPERM"),
    _sysctl("test_users_trace_no_processes", "kernel.yama.ptrace_scope", 3, '== "0"'),
    _sysctl("test_memory_without_a_file_is_not_run", "vm.memfd_noexec", 0, "EACCES"),
    _sysctl("test_memory_without_a_file_is_not_run", "vm.memfd_noexec", 2, '"", "26"'),
    _sysctl(_TRAPS, "fs.protected_symlinks", 0, "soft"),
    _sysctl(_TRAPS, "fs.protected_hardlinks", 0, "ln "),
    _sysctl(_TRAPS, "fs.protected_regular", 0, "echo x"),
    _sysctl(_TRAPS, "fs.protected_fifos", 0, "Permission denied"),
    _sysctl(_CORES, "kernel.core_pattern", "core", "crash"),
    Break(
        _CORES,
        "services may leave cores",
        "ulimit",
        guest="mount --bind /dev/null /usr/lib/systemd/system.conf.d/60-tau-core.conf; systemctl daemon-reexec;"
        " sleep 5",
    ),
    Break(
        _CORES,
        "something collects them",
        "core_pattern",
        guest="printf '#!/bin/bash\\ncat >/dev/null\\n' >/run/collect; chmod +x /run/collect;"
        " sysctl -w 'kernel.core_pattern=|/run/collect'",
    ),
    Break(
        "test_modules_are_refused",
        "one module is let in",
        "loaded minix",
        guest=sed(MODULES, "s/^install minix .*/install minix \\/bin\\/true/"),
    ),
    Break(
        "test_modules_are_refused",
        "a module of the list that does not exist",
        "missing no_such_module",
        guest=sed(MODULES, "$ainstall no_such_module /bin/false"),
    ),
    Break(
        "test_asking_for_a_socket_loads_no_protocol[29-3-can]",
        "no list of modules",
        "97",
        guest=f"mount --bind /dev/null {MODULES}",
    ),
    # Debian's kernel takes these by name only.
    *[
        Break(
            f"test_asking_for_a_socket_loads_no_protocol[{parameters}-{module}]",
            f"{module} is loaded",
            "97",
            guest=f"mount --bind /dev/null {MODULES}; modprobe {module}",
        )
        for parameters, module in (("21-5", "rds"), ("30-1", "tipc"), ("3-5", "ax25"))
    ],
    _sysctl("test_terminal_loads_no_line_discipline", "dev.tty.ldisc_autoload", 1, "EPERM"),
    *[_mounted(_SUID, place, "suid", "65534") for place in ("/tmp", "/dev/shm", "/home", "/run")],
    Break(f"{_SUID}[/var/tmp]", "/var is mounted suid,exec", "65534", guest="mount -o remount,suid,exec /var"),
    *[_mounted(_NODES, place, "dev", "rc != 0") for place in ("/tmp", "/var/tmp", "/dev/shm", "/home", "/etc")],
    Break("test_nothing_runs_from_var", "/var is mounted exec", "== 126", guest="mount -o remount,exec /var"),
    Break(
        "test_setuid_and_setgid_files_are_the_stated_ones",
        "one more",
        "stated.get",
        guest="install -m 4755 /usr/bin/true /home/x",
    ),
    Break(
        "test_setuid_and_setgid_files_are_the_stated_ones",
        "one is not stated",
        "stated.get",
        guest=sed("/usr/lib/tau/hardening/privileged-files", "/^.usr.bin.sudo /d"),
    ),
    Break(
        "test_no_file_has_capabilities",
        "a file with a capability",
        "getcap",
        guest="cp /usr/bin/true /home/x; setcap cap_net_raw+ep /home/x; mount --bind /home/x /usr/bin/true",
    ),
    Break(
        "test_services_run_as_ordinary_users_without_privilege",
        "a service of root's",
        "loose == set",
        guest="systemd-run --quiet --unit=bad sleep 100",
    ),
    Break(
        "test_services_run_as_ordinary_users_without_privilege",
        "a service with a capability",
        "loose == set",
        guest="systemd-run --quiet --unit=bad -p User=65534 -p AmbientCapabilities=CAP_NET_ADMIN sleep 100",
    ),
    Break(
        "test_services_run_as_ordinary_users_without_privilege",
        "an exception without a reason",
        "len.reason.",
        guest=sed(LIST, "$abad.service  -  because"),
    ),
    Break(
        "test_sessions_are_the_user_s",
        "a process of root's in a session",
        "<= allowed",
        guest="systemd-run --scope --slice=user.slice --unit=bad sleep 100 >/dev/null 2>&1 & sleep 4",
    ),
    Break(
        "test_exposure_of_the_project_s_own_units",
        "a unit that nothing confines",
        r"wrong == \[\]",
        guest="printf '[Service]\\nExecStart=/bin/true\\n' >/run/systemd/system/tau-x.service; systemctl daemon-reload",
    ),
    Break(
        "test_exposure_of_the_project_s_own_units",
        "a unit above its stated exposure",
        r"wrong == \[\]",
        guest=sed(LIST, "s/^(tau-first-user.service +)6.0/\\15.0/"),
    ),
    Break(
        "test_system_bus_is_confined_by_its_unit",
        "the bus has Debian's unit",
        "NoNewPrivs",
        guest="mount --bind /dev/null /usr/lib/systemd/system/dbus.service.d/20-hardening.conf;"
        " systemctl daemon-reload; systemctl restart dbus",
    ),
    Break(
        "test_redirects_change_no_route",
        "new interfaces have the kernel's settings",
        "values.split",
        guest="mount --bind /dev/null /usr/lib/sysctl.d/60-tau-network.conf;"
        " sysctl -w net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.default.accept_redirects=1",
    ),
]
WITHOUT: dict[str, str] = {}
