"""Say, as JSON, with which error the kernel answers the calls that an attack begins with; 0 is success.

Each is made in a process of its own, which may be killed for it ("killed").
"""

import ctypes
import json
import os
import platform
import socket
from collections.abc import Callable

X86 = platform.machine() == "x86_64"
LIBC = ctypes.CDLL(None, use_errno=True)
NEW_USER, NEW_NAMESPACE, SIGCHLD = 0x10000000, 0x00020000, 17
#: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h: what it is called, and its number.
NUMBERS = {
    "add_key": (248, 217),
    "acct": (163, 89),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fsopen": (430, 430),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "setns": (308, 268),
    "syslog": (103, 116),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}


def call(name: str, *arguments: int | bytes | None) -> int:
    """Make a system call with arguments of 64 bits; returns errno or 0."""
    given = [ctypes.c_uint64(each) if isinstance(each, int) else each for each in arguments]
    done = LIBC.syscall(ctypes.c_long(NUMBERS[name][0 if X86 else 1]), *given)
    if name in ("clone", "clone3") and done == 0:
        os._exit(0)  # the child
    return ctypes.get_errno() if done < 0 else 0


def make_socket(family: int, kind: int = socket.SOCK_DGRAM, protocol: int = 0) -> int:
    """Make a socket; returns errno or 0."""
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return error.errno or 0
    return 0


def on_terminal(request: int) -> int:
    """Put a character where it looks typed."""
    terminal = os.open("/dev/tty", os.O_RDWR)
    return call("ioctl", terminal, request, b"\1")


def fscrypt_remove_key() -> int:
    """Take the key of an encrypted home away: with no argument, so that nothing happens where it is allowed."""
    return call("ioctl", os.open(os.path.expanduser("~"), os.O_RDONLY), 0xC0406618, None)


def set_uid() -> int:
    """Become root."""
    try:
        os.setuid(0)
    except OSError as error:
        return error.errno or 0
    return 0


def executable_set_uid() -> int:
    """Make a file set-uid."""
    try:
        path = os.path.expanduser("~/set-uid")
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o700))
        os.chmod(path, 0o4700)
    except OSError as error:
        return error.errno or 0
    return 0


TRIES: dict[str, Callable[[], int]] = {
    "acct": lambda: call("acct", None),
    "add_key": lambda: call("add_key", b"user", b"tau", b"x", 1, 0xFFFFFFFD),
    "bpf": lambda: call("bpf", 0, bytes(128), 128),
    "chroot": lambda: call("chroot", b"/"),
    "clone-user": lambda: call("clone", NEW_USER | SIGCHLD, 0, 0, 0, 0),
    "clone3": lambda: call("clone3", bytes(64), 64),
    "fscrypt-remove-key": fscrypt_remove_key,
    "fsopen": lambda: call("fsopen", b"tmpfs", 0),
    "io_uring": lambda: call("io_uring_setup", 1, bytes(128)),
    "keyctl": lambda: call("keyctl", 0, 0xFFFFFFFD, 0),
    "mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "move_mount": lambda: call("move_mount", 0, b"", 0, b"/tmp", 4),
    "open_tree": lambda: call("open_tree", 0xFFFFFF9C, b"/tmp", 1),
    "perf": lambda: call("perf_event_open", bytes(128), 0, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0),
    "personality": lambda: call("personality", 0x0040000),
    "pivot_root": lambda: call("pivot_root", b"/", b"/tmp"),
    "process_vm_readv": lambda: call("process_vm_readv", os.getpid(), None, 0, None, 0, 0),
    "ptrace": lambda: call("ptrace", 0, 0, 0, 0),
    "set-uid-file": executable_set_uid,
    "setns": lambda: call("setns", 0, NEW_USER),
    "setuid": set_uid,
    "socket-alg": lambda: make_socket(38, socket.SOCK_SEQPACKET),
    "socket-inet": lambda: make_socket(socket.AF_INET),
    "socket-netlink": lambda: make_socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "socket-netlink-uevent": lambda: make_socket(socket.AF_NETLINK, socket.SOCK_RAW, 15),
    "socket-packet": lambda: make_socket(17),
    "socket-raw": lambda: make_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "socket-unix": lambda: make_socket(socket.AF_UNIX),
    "socket-vsock": lambda: make_socket(40, socket.SOCK_STREAM),
    "syslog": lambda: call("syslog", 10, None, 0),
    "tioclinux": lambda: on_terminal(0x541C),
    "tiocsti": lambda: on_terminal(0x5412),
    "tiocsti-high-bits": lambda: on_terminal(0x5412 | 1 << 32),
    "unshare-mounts": lambda: call("unshare", NEW_NAMESPACE),
    "unshare-user": lambda: call("unshare", NEW_USER),
    "userfaultfd": lambda: call("userfaultfd", 1),
}
if X86:
    NUMBERS["x32"] = (0x40000000 + 39, 0)
    TRIES["x32"] = lambda: call("x32")


def tried(attempt: Callable[[], int]) -> int | str:
    """Try in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, b"%d" % attempt())
        except OSError as error:
            os.write(writing, b"%d" % (error.errno or 0))
        os._exit(0)
    os.close(writing)
    said = os.read(reading, 100)
    os.close(reading)
    os.waitpid(child, 0)
    return int(said) if said else "killed"


print(json.dumps({name: tried(attempt) for name, attempt in TRIES.items()}))
