"""``tau remove ID``: an app of the user who asks."""

import argparse
import sys

from tau import ticket
from tau.bus import Bus, BusError
from tau.findings import printable
from tau.names import data_folder, is_id


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("app", metavar="ID", help="the app's id, like org.example.player")


def run(options: argparse.Namespace) -> int:
    """Remove the app; returns 1 when it is not there."""
    try:
        if not is_id(options.app):
            raise BusError("", "is not an app's id")
        given, kept = ticket.write(ticket.Wish.REMOVE, app=options.app)
        try:
            Bus().call("Remove", "h", given.fileno())
        finally:
            kept.close()
    except BusError as error:
        print(printable(f"{options.app}: {error.message}"), file=sys.stderr)
        return 1
    print(f"{options.app} is removed; its data in ~/{data_folder(options.app)} is not")
    return 0
