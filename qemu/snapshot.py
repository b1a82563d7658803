"""Whole states of a machine, memory included, kept inside its temporary disk (savevm, loadvm)."""

import re

from qemu.errors import MachineError
from qemu.monitor import Monitor


def save(monitor: Monitor, name: str) -> None:
    """Keep the present state under a name.

    :raises MachineError: when the name is not plain, or QEMU refuses.
    """
    _human(monitor, f"savevm {_plain(name)}")


def load(monitor: Monitor, name: str) -> None:
    """Go back to a kept state.

    :raises MachineError: when there is none of that name, or QEMU refuses.
    """
    _human(monitor, f"loadvm {_plain(name)}")


def exists(monitor: Monitor, name: str) -> bool:
    """Whether a state of that name is kept."""
    return re.search(rf"(?m)^\S+\s+{re.escape(_plain(name))}\s", _human(monitor, "info snapshots")) is not None


def _human(monitor: Monitor, command: str) -> str:
    # QMP's snapshot-save wants the names of all drives; the monitor for people finds them by itself.
    said: str = monitor.execute("human-monitor-command", {"command-line": command}, timeout=120)
    if "Error" in said:
        raise MachineError(f"QEMU refused {command!r}: {said.strip()}")
    return said


def _plain(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise MachineError(f"{name!r} can't be the name of a snapshot")
    return name
