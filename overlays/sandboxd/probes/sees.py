"""Say, as JSON, what a process is and sees here: run in an app, and as a control outside of one."""

import json
import os
from pathlib import Path

NAMESPACES = ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup")
PLACES = ("/", "/app", "/dev", "/dev/pts", "/dev/shm", "/etc", "/home", "/run", "/sys", "/tmp", "/var", "/var/tmp")
TRIED = (
    "/etc/machine-id",
    "/etc/shadow",
    "/home/tester/secret",
    "/run/dbus/system_bus_socket",
    "/run/systemd/journal/stdout",
    "/run/systemd/private",
    "/run/tau/helper",
    "/run/user/1000/bus",
    "/var/lib/tau/sandbox/apps",
    "/var/log/journal",
    "/sys/class/dmi/id/product_name",
    "/proc/cmdline",
    "/proc/self/mountinfo",
    "/proc/sys/kernel/random/boot_id",
    "/proc/kmsg",
    "/dev/kmsg",
    "/dev/mem",
    "/dev/vda",
    "/dev/ttyS0",
    "/dev/ttyAMA0",
)
WRITTEN = (
    "/app/x",
    "/etc/x",
    "/usr/x",
    "/run/x",
    "/var/x",
    "/home/x",
    "/dev/x",
    "/x",
    "/home/user/x",
    "/tmp/x",
    "/dev/shm/x",
)


def listed(path: str) -> list[str] | str:
    """What is in a folder, or why that can't be said."""
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        return os.strerror(error.errno or 0)


def opened(path: str, flags: int) -> str:
    """How opening goes: "open", or why not."""
    try:
        os.close(os.open(path, flags, 0o600))
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "open"


status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(
    json.dumps(
        {
            "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES},
            "status": {key: status[key].strip() for key in ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")},
            "label": Path("/proc/self/attr/current").read_text().strip(),
            "uid_map": Path("/proc/self/uid_map").read_text().split(),
            "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
            "interfaces": listed("/sys/class/net"),
            "environment": sorted(os.environ),
            "files": sorted(os.readlink(f"/proc/self/fd/{name}").partition(":")[0] for name in ("0", "1", "2")),
            "places": {path: listed(path) for path in PLACES},
            "tried": {path: opened(path, os.O_RDONLY | os.O_NONBLOCK) for path in TRIED},
            "written": {path: opened(path, os.O_WRONLY | os.O_CREAT) for path in WRITTEN},
            "passwd": [line.partition(":")[0] for line in Path("/etc/passwd").read_text().splitlines()],
        }
    )
)
