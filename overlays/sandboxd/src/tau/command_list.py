"""``tau list``: the apps of the user who asks."""

import argparse
import json
import sys
from typing import NamedTuple

from tau.bus import Bus, BusError


class Installed(NamedTuple):
    """An app that the user has."""

    id: str
    version: str
    permissions: list[str]


def installed(bus: Bus) -> dict[str, Installed]:
    """Return the user's apps by id.

    :raises BusError: when sandboxd can't be asked.
    """
    found = {}
    reply = bus.call("List")
    reply.enter("a", "(ssas)")
    while reply.enter("r", "ssas"):
        app = Installed(reply.text(), reply.text(), reply.texts())
        found[app.id] = app
        reply.leave()
    return found


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("--json", action="store_true", help="as JSON, one object an app")


def run(options: argparse.Namespace) -> int:
    """List the apps; returns 1 when sandboxd can't be asked."""
    try:
        apps = installed(Bus())
    except BusError as error:
        print(error.message, file=sys.stderr)
        return 1
    for app in apps.values():
        if options.json:
            print(json.dumps(app._asdict()))
        else:
            print(f"{app.id}  {app.version}  {', '.join(app.permissions) or '-'}")
    return 0
