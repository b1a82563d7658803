"""Say, as JSON, what a process has got hold of without asking, and how each way out of what it sees goes.

The arguments are files that lie outside of what an app sees, and what the last one is called by its file system
(handle.py).
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

LIBC = ctypes.CDLL(None, use_errno=True)
*SECRETS, HANDLE = sys.argv[1:]
UP = "/.." * 20
BASES = {
    "its root": "/proc/self/root",
    "its folder": ".",
    "above its folder": f".{UP}",
    "above its bundle": f"/app{UP}",
    "above its runtime": f"/usr{UP}",
    "above what it is given": f"/run/tau{UP}",
    "the first process's root": "/proc/1/root",
    "above the first process's folder": f"/proc/1/cwd{UP}",
    "above the first process's program": f"/proc/1/exe/..{UP}",
    "a thread's root": f"/proc/self/task/{os.getpid()}/root",
    "above its terminal": f"/dev/pts{UP}",
}
#: Of the machine's, which the kernel runs or reads as root: the ways out of containers.
KERNEL = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sysrq-trigger",
    "/sys/kernel/uevent_helper",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/kernel/security/apparmor/.replace",
    "/proc/1/attr/current",
    "/proc/self/uid_map",
    "/proc/self/attr/exec",
)


def goes(attempt: Callable[[], object]) -> str:
    """How an attempt goes."""
    try:
        attempt()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "goes"


def by_folder(base: str, secret: str) -> None:
    """Reach a file from a folder that is open, though it only names it (O_PATH)."""
    folder = os.open(base, os.O_PATH)
    os.close(os.open(secret.lstrip("/"), os.O_PATH, dir_fd=folder))


def by_handle() -> None:
    """Open a file by what its file system calls it, wherever it is mounted."""
    content = bytes.fromhex(HANDLE)
    handle = ctypes.create_string_buffer(content, len(content))
    mount = os.open(os.path.expanduser("~"), os.O_RDONLY | os.O_DIRECTORY)
    if LIBC.open_by_handle_at(mount, handle, os.O_RDONLY) < 0:
        raise OSError(ctypes.get_errno(), "open_by_handle_at")


def overwrite(program: str) -> None:
    """Open the program of a process for writing, by a name from when it ran (CVE-2019-5736 of runc)."""
    with subprocess.Popen([program, "60"]) as child:
        try:
            # A parent may go on before its child's program is the new one (vfork(2)).
            for _ in range(500):
                if os.readlink(f"/proc/{child.pid}/exe") == os.path.realpath(program):
                    break
                time.sleep(0.01)
            named = os.open(f"/proc/{child.pid}/exe", os.O_PATH)
        finally:
            child.kill()
    os.close(os.open(f"/proc/self/fd/{named}", os.O_WRONLY))


def own_copy() -> str:
    """A program that is ours."""
    path = os.path.join(tempfile.mkdtemp(dir=os.path.expanduser("~")), "own")
    shutil.copy("/usr/bin/sleep", path)
    return path


def files(process: str) -> list[int]:
    """The numbers of the files that a process has open; one is what they are found by, which has gone."""
    found = [int(number) for number in os.listdir(f"/proc/{process}/fd")]
    return sorted(number for number in found if os.path.lexists(f"/proc/{process}/fd/{number}"))


def of_first() -> list[int] | str:
    """Those of the first process."""
    try:
        return files("1")
    except OSError as error:
        return os.strerror(error.errno or 0)


def opened_of_first() -> list[str]:
    """How it goes to open anew what an app's first process has open beyond its streams; the system's is left alone."""
    numbers = [number for number in os.listdir("/proc/1/fd") if int(number) > 2] if "TAU_APP" in os.environ else []
    return [goes(partial(os.open, f"/proc/1/fd/{number}", os.O_WRONLY | os.O_NONBLOCK)) for number in numbers]


print(
    json.dumps(
        {
            "files": files("self"),
            "files of the first process": of_first(),
            "opened of the first process": opened_of_first(),
            "places": {
                what: {
                    "by path": {secret: goes(partial(os.stat, base + secret)) for secret in SECRETS},
                    "by folder": {secret: goes(partial(by_folder, base, secret)) for secret in SECRETS},
                }
                for what, base in BASES.items()
            },
            "kernel": {path: goes(partial(os.open, path, os.O_WRONLY)) for path in KERNEL},
            "handle": goes(by_handle),
            "programs": {
                "of the system": goes(lambda: overwrite("/usr/bin/sleep")),
                "of its own": goes(lambda: overwrite(own_copy())),
            },
        }
    )
)
