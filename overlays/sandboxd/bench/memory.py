"""The memory of what the sandbox keeps running: each process's share, PSS (proc_pid_smaps(5))."""

import re
from dataclasses import dataclass

from qemu.machine import Machine

#: Control groups of the sandbox's own processes, and of the apps with what is around each.
_OWN = re.compile(r"/(sandboxd\.service|tau-(helper|app|attach|files|link|log|net|reader)[^/]*|app-tau-[^/]*)$")
#: The command itself, in its user's session, is not in one of them.
_COMMAND = "tau"
#: A process that ends meanwhile leaves out what it no longer says.
_LOOK = "cd /proc && grep -sH '^Pss:' [0-9]*/smaps_rollup; grep -sH '^0::' [0-9]*/cgroup; grep -sH . [0-9]*/comm; true"


@dataclass(frozen=True)
class Process:
    """A process.

    :param unit: in whose control group it is; empty for one of a session.
    :param share: of memory, in bytes: its own, and its part of what it has in common with others.
    """

    name: str
    unit: str
    share: int


def processes(machine: Machine) -> list[Process]:
    """Return the processes of the sandbox, those of apps that run included."""
    return parse(machine.succeed(_LOOK, 300))


def parse(text: str) -> list[Process]:
    """Find them in what grep(1) shows of each process; those of others are left out."""
    said: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        path, _, value = line.partition(":")
        number, _, file = path.partition("/")
        said.setdefault(number, {})[file] = value
    found = []
    for each in said.values():
        own = _OWN.search(each.get("cgroup", ""))
        share = re.search(r"(\d+) kB", each.get("smaps_rollup", ""))
        if share and (own or each.get("comm") == _COMMAND):
            found.append(Process(each.get("comm", ""), own[1] if own else "", int(share[1]) * 1024))
    return sorted(found, key=lambda process: (process.unit, process.name))
