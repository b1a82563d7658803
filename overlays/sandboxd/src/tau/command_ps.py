"""``tau ps``: which of the user's apps run, as the kernel's control groups say; nobody has to be asked."""

import argparse
import json
import os
from typing import NamedTuple

from tau.helper import instance


class Running(NamedTuple):
    """An instance that runs.

    :param instance: its number, as `tau log` has it.
    :param pid: of the process that hands signals on to the app.
    :param processes: how many it has, with those that start it.
    """

    id: str
    instance: str
    pid: int
    processes: int


def running() -> list[Running]:
    """Return the user's instances, by id."""
    found = []
    for uid, app, number in instance.running():
        name = instance.unit(uid, app, number)
        pid = instance.init_process(name) if uid == os.getuid() else None
        if pid is not None:
            found.append(Running(app, f"{number:08x}", pid, _processes(name)))
    return found


def _processes(name: str) -> int:
    try:
        return int((instance.control_group(name) / "pids.current").read_text())
    except OSError:
        return 0  # it has just ended


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("--json", action="store_true", help="as JSON, one object an instance")


def run(options: argparse.Namespace) -> int:
    """List what runs; returns 0."""
    for each in running():
        line = f"{each.id}  {each.instance}  {each.processes} processes  (signals go to {each.pid})"
        print(json.dumps(each._asdict()) if options.json else line)
    return 0
