"""Say, as JSON, how each way to reach other processes goes: those of the arguments, each NAME:PID:ADDRESS.

PID is a process's number outside, as its user's `ps` shows it, and ADDRESS where its secret lies (victim.py).
"""

import ctypes
import json
import os
import signal
import socket
import sys
import zlib
from collections.abc import Callable
from functools import partial

LIBC = ctypes.CDLL(None, use_errno=True)
#: linux/ptrace.h, linux/fanotify.h, sys/inotify.h
PTRACE_SEIZE, FAN_REPORT_FID, IN_ALL_EVENTS, NOFILE = 0x4206, 0x200, 0xFFF, 7


class Part(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def call(name: str, *arguments: object) -> int:
    """Make a call of the C library's that says -1 when it fails."""
    done = int(getattr(LIBC, name)(*arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), name)
    return done


def memory(pid: int, address: int) -> None:
    """Copy from another's memory; it must be the secret."""
    into = ctypes.create_string_buffer(6)
    mine, theirs = Part(ctypes.addressof(into), 6), Part(address, 6)
    call("process_vm_readv", pid, ctypes.byref(mine), ctypes.c_ulong(1), ctypes.byref(theirs), ctypes.c_ulong(1), 0)
    assert into.raw == b"secret"


def memory_by_file(pid: int, address: int) -> None:
    """The same, by /proc/PID/mem."""
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as file:
        file.seek(address)
        assert file.read(6) == b"secret"


def connect(address: str, kind: int) -> None:
    """Reach a socket by its name, with a path or without one."""
    with socket.socket(socket.AF_UNIX, kind) as one:
        one.settimeout(5)
        one.connect(address)
        one.send(b"x")


def goes(attempt: Callable[[], object]) -> str:
    """How an attempt goes."""
    try:
        attempt()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "goes"


def ways(name: str, pid: int, address: int) -> dict[str, Callable[[], object]]:
    """Each way to reach a process, by its number and by what it has made."""
    name = f"tau-attack-{name}"
    key = ctypes.c_int(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    kinds = {"stream": socket.SOCK_STREAM, "datagrams": socket.SOCK_DGRAM}
    return {
        "/proc/PID/mem": lambda: memory_by_file(pid, address),
        "/proc/PID/root": lambda: os.listdir(f"/proc/{pid}/root/"),
        "/proc/PID/cwd": lambda: os.listdir(f"/proc/{pid}/cwd/"),
        "/proc/PID/fd": lambda: os.open(f"/proc/{pid}/fd/1", os.O_RDONLY),
        "/proc/PID/environ": lambda: open(f"/proc/{pid}/environ", "rb").read(),
        "/proc/PID/maps": lambda: open(f"/proc/{pid}/maps", "rb").read(),
        "/proc/PID/ns": lambda: os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY),
        "ptrace": lambda: call("ptrace", PTRACE_SEIZE, pid, None, None),
        "process_vm_readv": lambda: memory(pid, address),
        "kill": lambda: os.kill(pid, signal.SIGCONT),
        "killpg": lambda: os.killpg(os.getpgid(pid), signal.SIGCONT),
        "tgkill": lambda: call("tgkill", pid, pid, int(signal.SIGCONT)),
        "pidfd": lambda: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGCONT),
        "pidfd_getfd": lambda: call("pidfd_getfd", os.pidfd_open(pid), 1, 0),
        "prlimit": lambda: call("prlimit", pid, NOFILE, None, ctypes.create_string_buffer(16)),
        "setpriority": lambda: os.setpriority(os.PRIO_PROCESS, pid, 5),
        **{
            f"{where} socket, {word}": partial(connect, f"{at}{name}-{kind:d}", kind)
            for word, kind in kinds.items()
            for where, at in (("abstract", "\0"), ("path", "/tmp/"))
        },
        "/dev/shm": lambda: os.open(f"/dev/shm/{name}", os.O_RDWR),
        "inotify": lambda: call(
            "inotify_add_watch", call("inotify_init"), f"/tmp/{name}-1".encode(), ctypes.c_uint(IN_ALL_EVENTS)
        ),
        "shared memory": lambda: call("shmget", key, ctypes.c_size_t(0), 0),
        "semaphores": lambda: call("semget", key, 0, 0),
        "messages": lambda: call("msgget", key, 0),
        "POSIX messages": lambda: call("mq_open", f"/{name}".encode(), os.O_RDWR),
    }


said: dict[str, dict[str, str]] = {}
for target in sys.argv[1:]:
    who, number, place = target.split(":")
    said[who] = {way: goes(attempt) for way, attempt in ways(who, int(number), int(place)).items()}
said["all"] = {"fanotify": goes(lambda: call("fanotify_init", FAN_REPORT_FID, 0))}
print(json.dumps(said))
