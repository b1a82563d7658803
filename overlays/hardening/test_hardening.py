"""Hardening by its effects: what an ordinary user, a service and root are refused on the booted system.

Each check has its other side near it: the same thing where it is allowed, so that a refusal means what it says.
"""

import base64
import re
import struct
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from image.plan import Plan

NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups"
#: Numbers of system calls: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h
CALLS = {
    "x86_64": {"kexec_load": 246, "perf_event_open": 298, "memfd_create": 319, "bpf": 321, "userfaultfd": 323},
    "aarch64": {"kexec_load": 104, "perf_event_open": 241, "memfd_create": 279, "bpf": 280, "userfaultfd": 282},
}
IO_URING_SETUP = 425
PTRACE = {"x86_64": 101, "aarch64": 117}
#: A program of 32 bits that exits with 42: its machine and flags (elf.h), and its instructions.
PROGRAMS_OF_32_BITS = {
    "x86_64": (3, 0, "bb2a000000 b801000000 cd80"),  # mov $42,%ebx; mov $1,%eax; int $0x80
    "aarch64": (40, 0x05000000, "2a00a0e3 0170a0e3 000000ef"),  # mov r0,#42; mov r7,#1; svc 0
}
#: Modules of the list that Debian's kernel lacks on an architecture: drivers of PCs, and of the networks and cards of
#: decades ago (its debian/config/ARCH/config). Any other name that is missing is a mistake in the list.
NOT_BUILT = {
    "x86_64": set[str](),
    "aarch64": {"comedi", "floppy", "hci", "hdlc", "lapb", "mISDN_core", "msr", "n_hdlc", "usbatm", "vboxsf"},
}
EVENT = 'substr($b, 0, 8, pack("LL", 1, 112)) && $b'
EPERM, EACCES = 1, 13

pytestmark = pytest.mark.row(1)


@pytest.fixture
def folder(host: Host) -> Iterator[str]:
    """A folder in /tmp that anybody may write to, with the sticky bit."""
    path = host.check_output("mktemp -d /tmp/tau-check-XXXXXX && chmod 1777 /tmp/tau-check-*")
    yield path.splitlines()[-1]
    host.run("rm -rf /tmp/tau-check-*")


def call(host: Host, number: int, *arguments: str, user: str = "") -> int:
    """The errno of a system call made by root, or by whom `user` makes it; 0 when it worked."""
    text = ", ".join([str(number), *arguments])
    result = host.run(f"{user} perl -e '$b = \"\\0\" x 256; $r = syscall({text}); print $r < 0 ? $!+0 : 0'")
    assert result.rc == 0, result.stderr
    return int(result.stdout)


# Kernel command line and what it brings


def test_command_line_is_the_plan_s(host: Host, plan: Plan) -> None:
    words = host.check_output("cat /proc/cmdline").split()
    assert [word for word in plan.kernel_command_line if word not in words] == []


def test_no_word_of_the_command_line_is_unknown_to_the_kernel(host: Host) -> None:
    """A word that this kernel no longer knows protects nothing; the kernel lists those at boot."""
    unknown = host.check_output("journalctl -k -b -o cat -g '^Unknown kernel command line' || true")
    assert set(re.findall(r"[ \"]([a-z0-9_.]+)", unknown.partition("parameters")[2].partition(", will")[0])) <= {
        "roothash"
    }


def test_lockdown(host: Host, folder: str) -> None:
    """Root neither reads nor changes the kernel, and loads nothing that its maker did not sign."""
    assert "[confidentiality]" in host.check_output("cat /sys/kernel/security/lockdown")
    refused = host.run("head -c 1 /proc/kcore")
    assert refused.rc != 0 and "not permitted" in refused.stderr
    # Without enforcement the kernel looks at the file first, and finds that it is no module ("Invalid module format").
    unsigned = host.run(f"head -c 4096 /dev/zero >{folder}/junk.ko && insmod {folder}/junk.ko")
    assert unsigned.rc != 0 and ("rejected" in unsigned.stderr or "not permitted" in unsigned.stderr), unsigned.stderr


def test_debugfs_is_not_there(host: Host) -> None:
    assert host.run("mount -t debugfs none /mnt || mount -t debugfs none /sys/kernel/debug").rc != 0


def test_mounted_file_system_is_not_written_to_by_its_device(host: Host) -> None:
    device = host.check_output("findmnt -no SOURCE /home")
    assert device.startswith("/dev/")
    result = host.run(f": >>{device}")
    assert result.rc != 0 and "busy" in result.stderr
    assert host.run(f"head -c 512 {device} >/dev/null").rc == 0


def program_of_32_bits(arch: str) -> bytes:
    """An ELF header, one program header for the whole file (readable, executable), and the instructions (elf.5)."""
    machine, flags, code = PROGRAMS_OF_32_BITS[arch]
    base, size = 0x08048000, 0x54 + len(bytes.fromhex(code))
    header = b"\x7fELF\x01\x01\x01" + bytes(9)
    header += struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, base + 0x54, 0x34, 0, flags, 0x34, 0x20, 1, 0, 0, 0)
    return header + struct.pack("<8I", 1, 0, base, base, size, size, 5, 0x1000) + bytes.fromhex(code)


def test_no_programs_of_32_bits(host: Host, plan: Plan, folder: str) -> None:
    program = base64.b64encode(program_of_32_bits(plan.arch)).decode()
    result = host.run(f"base64 -d >{folder}/old <<<{program} && chmod 755 {folder}/old && {folder}/old")
    assert result.rc == 126 and "Exec format error" in result.stderr, result


def test_system_calls_of_one_architecture_alone(host: Host, plan: Plan) -> None:
    assert host.check_output("grep -c '^Seccomp:.*2$' /proc/1/status /proc/self/status") == (
        "/proc/1/status:1\n/proc/self/status:1"
    )
    if plan.arch == "x86_64":
        # getpid by its own number, and by x32's (arch/x86/entry/syscalls/syscall_64.tbl); 159 is 128 and SIGSYS (31).
        assert host.run("perl -e 'exit(syscall(39) != $$)'").rc == 0
        assert host.run("perl -e 'syscall(0x40000000 + 39)'; exit $?").rc == 159


# sysctl


def test_every_setting_of_the_files_is_in_force(host: Host) -> None:
    """The value that the running kernel has, for every interface too; another file or program may have changed it."""
    wrong, seen = [], 0
    for line in host.check_output("cat /usr/lib/sysctl.d/60-tau-*.conf").splitlines():
        if not line or line.startswith("#"):
            continue
        key, _, value = (part.strip() for part in line.partition("="))
        pattern = "/proc/sys/" + key.replace(".", "/")
        for found in host.check_output(f"head -v -n 1 {pattern}").split("==> ")[1:]:
            path, _, text = found.partition(" <==\n")
            seen += 1
            if text.strip() != value:
                wrong.append(f"{path} is {text.strip()}, not {value}")
    assert seen > 60 and not wrong


def test_kernel_log_and_addresses_are_hidden(host: Host) -> None:
    assert host.run("dmesg").rc == 0
    refused = host.run(f"{NOBODY} dmesg")
    assert refused.rc != 0 and "not permitted" in refused.stderr
    addresses = {line.split()[0] for line in host.check_output("head -n 100 /proc/kallsyms").splitlines()}
    assert addresses == {"0" * 16}


def test_system_calls_that_users_are_refused(host: Host, plan: Plan) -> None:
    """bpf, userfaultfd and performance counters for users, io_uring and kexec for everybody."""
    numbers = CALLS[plan.arch]
    # BPF_PROG_LOAD (5) of a program without an instruction: root is told what is wrong with it
    assert call(host, numbers["bpf"], "5", "$b", "128", user=NOBODY) == EPERM
    assert call(host, numbers["bpf"], "5", "$b", "128") not in (0, EPERM)
    assert call(host, numbers["userfaultfd"], "0", user=NOBODY) == EPERM
    # A software event (1) in a structure of 112 bytes
    assert call(host, numbers["perf_event_open"], EVENT, "0", "-1", "-1", "0", user=NOBODY) in (EPERM, EACCES)
    assert call(host, IO_URING_SETUP, "1", "$b", user=NOBODY) == EPERM
    assert call(host, IO_URING_SETUP, "1", "$b") == EPERM
    assert call(host, numbers["kexec_load"], "0", "0", "0", "0") == EPERM


def test_user_namespaces_are_for_units_only(host: Host) -> None:
    refused = host.run(f"{NOBODY} unshare --user true")
    assert refused.rc != 0 and "not permitted" in refused.stderr
    assert host.run("systemd-run --wait --quiet --property=PrivateUsers=yes --property=User=65534 true").rc == 0


def test_users_trace_no_processes(host: Host, plan: Plan) -> None:
    """A user can't attach to a process of their own; root can, which sudo's log of sub-commands needs."""
    perl = f"$r = syscall({PTRACE[plan.arch]}, 16, $ARGV[0]+0, 0, 0); print $r < 0 ? $!+0 : 0"
    script = f"bash -c 'sleep 60 & perl -e \"$1\" $!; kill -9 $!' - '{perl}'"
    assert host.run(f"{NOBODY} {script}").stdout == str(EPERM)
    assert host.run(script).stdout == "0"


def test_memory_without_a_file_is_not_run(host: Host, plan: Plan) -> None:
    script = (
        '$f = syscall({number}, $n = "x", {flags}); open my $m, ">&=", $f; open my $t, "<", "/usr/bin/true";'
        ' binmode $_ for $m, $t; undef $/; print {{$m}} readline $t; $m->flush; exec "/proc/self/fd/$f" or print $!+0'
    )
    number = CALLS[plan.arch]["memfd_create"]
    asked, plain = (script.format(number=number, flags=flags) for flags in ("0x10", "0"))
    assert host.run(f"perl -MIO::Handle -e '$^F = 99; {plain}'").stdout == str(EACCES)
    # With MFD_EXEC the caller asks for it; the kernel then gets as far as the file being open for writing (ETXTBSY).
    assert host.run(f"perl -MIO::Handle -e '$^F = 99; {asked}'").stdout in ("", "26")


def test_traps_in_shared_folders_do_not_work(host: Host, folder: str) -> None:
    """Links, pipes and files that another put there are not followed, not even by root."""
    host.check_output(f"echo secret >{folder}/target && chmod 600 {folder}/target")
    assert host.run(f"{NOBODY} ln {folder}/target {folder}/hard").rc != 0
    host.check_output(f"{NOBODY} ln -s {folder}/target {folder}/soft")
    assert host.run(f"cat {folder}/soft").rc != 0 and host.run(f"cat {folder}/target").rc == 0
    host.check_output(f"{NOBODY} touch {folder}/file && {NOBODY} mkfifo {folder}/pipe")
    assert host.run(f"echo x >{folder}/file").rc != 0
    refused = host.run(f"timeout 5 bash -c 'exec 3<>{folder}/pipe; true >{folder}/pipe'")
    assert "Permission denied" in refused.stderr


def test_no_core_dumps(host: Host, folder: str) -> None:
    """Not of root, who may raise the limit, not of a service, not of a user; and nothing collects them."""
    crash = "cd {0} && (ulimit -c unlimited; perl -e 'kill ABRT => $$'; ulimit -c 0); ls -A {0}"
    assert host.check_output(crash.format(folder)) == ""
    assert host.check_output("systemd-run --pipe --quiet bash -c 'ulimit -Hc'") == "0"
    assert host.check_output("cat /proc/sys/kernel/core_pattern") == "|/bin/false"
    assert not host.package("systemd-coredump").is_installed


# Modules


def test_modules_are_refused(host: Host, plan: Plan) -> None:
    """Each module of the list is there, and modprobe does not load it; another one it does."""
    find = "sed -n 's/^install \\([^ ]*\\) .*/\\1/p' /usr/lib/modprobe.d/60-tau-modules.conf"
    names = host.check_output(find).split()
    blacklist = re.search(r"module_blacklist=(\S+)", host.check_output("cat /proc/cmdline"))
    names += blacklist[1].split(",") if blacklist else []
    assert len(names) > 90 and "nfsd" in names
    script = (
        "for m in {}; do modinfo -n $m >/dev/null 2>&1 || echo missing $m; modprobe -q $m && echo loaded $m; done; :"
    )
    wrong = host.check_output(script.format(" ".join(names))).splitlines()
    assert set(wrong) == {f"missing {name}" for name in NOT_BUILT[plan.arch]}
    assert host.run("modprobe dummy numdummies=0 && modprobe -r dummy").rc == 0


@pytest.mark.parametrize(
    ("family", "kind", "module"), [(21, 5, "rds"), (30, 1, "tipc"), (29, 3, "can"), (3, 5, "ax25")]
)
def test_asking_for_a_socket_loads_no_protocol(host: Host, family: int, kind: int, module: str) -> None:
    result = host.run(f"{NOBODY} perl -MSocket -e 'socket(my $s, {family}, {kind}, 0) or die $!+0'")
    assert result.rc != 0 and result.stderr.startswith("97"), result.stderr  # EAFNOSUPPORT
    assert host.run(f"grep -q '^{module} ' /proc/modules").rc != 0


def test_terminal_loads_no_line_discipline(host: Host) -> None:
    """TIOCSETD (0x5423) on a terminal of one's own: N_PPP (3) would be loaded for the asking."""
    perl = 'open my $t, "+<", "/dev/tty" or die; $d = pack("i", 3); ioctl($t, 0x5423, $d) or print $!+0'
    host.check_output(f"cat >/tmp/tau-check.pl <<'END'\n{perl}\nEND")
    result = host.run(f"{NOBODY} script -qec 'perl /tmp/tau-check.pl' /dev/null </dev/null; rm /tmp/tau-check.pl")
    assert result.stdout.strip() == str(EPERM), result.stdout


# Mounts


@pytest.mark.parametrize("place", ["/tmp", "/var/tmp", "/dev/shm", "/home", "/run"])
def test_setuid_gives_nothing_where_people_write(host: Host, place: str) -> None:
    path = f"{place}/tau-check-id"
    host.check_output(f"install -o root -m 4755 $(command -v id) {path}")
    try:
        result = host.run(f"{NOBODY} {path} -u")
        assert result.stdout.strip() in ("65534", "") and result.stdout.strip() != "0"
        assert place == "/var/tmp" or result.rc == 0
    finally:
        host.run(f"rm {path}")


@pytest.mark.parametrize("place", ["/tmp", "/var/tmp", "/dev/shm", "/home", "/etc"])
def test_device_nodes_do_not_open_where_people_write(host: Host, place: str) -> None:
    path = f"{place}/tau-check-null"
    try:
        if host.run(f"mknod -m 666 {path} c 1 3").rc == 0:
            assert host.run(f": >{path}").rc != 0
    finally:
        host.run(f"rm -f {path}")


def test_nothing_runs_from_var(host: Host) -> None:
    script = "install -m 755 /usr/bin/true {0}/tau-check-true; {0}/tau-check-true; r=$?; rm {0}/tau-check-true; exit $r"
    assert host.run(script.format("/var/tmp")).rc == 126
    assert host.run(script.format("/tmp")).rc == 0


# Network


def test_redirects_change_no_route(host: Host) -> None:
    """An interface that comes long after the boot has the settings too."""
    host.check_output("ip link add tau-check type veth peer name tau-peer")
    try:
        host.run("udevadm settle --timeout=20")
        values = host.check_output(
            "cd /proc/sys/net/ipv4/conf/tau-check && cat rp_filter accept_redirects send_redirects accept_source_route"
            " && cd /proc/sys/net/ipv6/conf/tau-check && cat accept_redirects use_tempaddr"
        )
        assert values.split() == ["1", "0", "0", "0", "0", "2"]
    finally:
        host.run("ip link del tau-check")
