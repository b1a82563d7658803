"""What a running app is called: units and profiles are named by user, id and bundle, and by what these can hold."""

import re
from pathlib import Path

from tau.names import is_id
from tau.record import Record

#: Control groups of the apps that run, a slice for each user in it (systemd.slice(5)).
SLICE = "apps.slice"
#: The program that hands signals on to what an instance runs (dumb-init(1)): child of its namespace's first process.
INIT = "dumb-init"
ROOT = Path("/sys/fs/cgroup")
CGROUP = ROOT / SLICE
_UNIT = re.compile(r"app-tau-([1-9][0-9]{0,9})-([a-z0-9._]+)-([0-9a-f]{8})\.service")


def prefix(uid: int) -> str:
    """Return what the names of all instances of a user's apps begin with."""
    return f"app-tau-{uid}-"


def name(uid: int, app: str, number: int) -> str:
    """Return the name of an instance: of its unit, without ``.service``, and of its pipe."""
    return f"{prefix(uid)}{app}-{number:08x}"


def unit(uid: int, app: str, number: int) -> str:
    """Return the unit of an instance."""
    return f"{name(uid, app, number)}.service"


def slice_of(uid: int) -> str:
    """Return the slice of a user's apps."""
    return f"apps-{uid}.slice"


def log_fields(uid: int, app: str) -> tuple[tuple[str, str], ...]:
    """Return what the journal keeps with each line about an instance (LogExtraFields=, systemd.exec(5))."""
    return (("TAU_USER", str(uid)), ("TAU_APP", app))


def control_group(unit_name: str) -> Path:
    """Return the control group of an instance's unit.

    :raises ValueError: when it is the name of none.
    """
    match = _UNIT.fullmatch(unit_name)
    if not match:
        raise ValueError(unit_name)
    return CGROUP / slice_of(int(match[1])) / unit_name


def running(group: Path = CGROUP) -> list[tuple[int, str, int]]:
    """Return user, id and number of each instance that runs, as the kernel's control groups say."""
    try:
        names = sorted(path.name for path in group.glob("apps-*.slice/*"))
    except OSError:
        return []
    found = [match for name in names if (match := _UNIT.fullmatch(name)) and is_id(match[2])]
    return [(int(match[1]), match[2], int(match[3], 16)) for match in found]


def bundle_unit(record: Record) -> str:
    """Return the unit that mounts an app's bundle and data: its instance is a path, as systemd-escape(1) makes it."""
    return f"tau-app@{bundle(record)}.service"


def manager(uid: int) -> str:
    """Return the unit of a user's manager: it is there as long as a session of theirs is (user@.service(5))."""
    return f"user@{uid}.service"


def attached_unit(instance_name: str) -> str:
    """Return the unit that attaches files and devices to an instance."""
    return f"tau-files@{instance_name}.service"


def profile(record: Record) -> str:
    """Return the name of an app's AppArmor profile; each bundle's is its own, since an older one may still run."""
    return f"tau-app-{bundle(record)}"


def bundle(record: Record) -> str:
    """Return what a bundle that is mounted is called; tau-app@.service takes the profile away by this name (%i)."""
    return f"{record.uid}-{record.app}-{record.root_hash.hex()}"


def init_process(unit_name: str) -> int | None:
    """Return the process that hands signals on to a running instance, by its number out here; None: not there yet."""
    try:
        numbers = (control_group(unit_name) / "cgroup.procs").read_text().split()
        processes = {number: Path("/proc", number, "status").read_text() for number in numbers}
    except OSError:
        return None
    first = [number for number, status in processes.items() if re.search(r"^NSpid:.*\t1$", status, re.MULTILINE)]
    parents = [f"\nPPid:\t{number}\n" for number in first]
    called = [number for number, status in processes.items() if status.startswith(f"Name:\t{INIT}\n")]
    return min((int(number) for number in called if any(line in processes[number] for line in parents)), default=None)
