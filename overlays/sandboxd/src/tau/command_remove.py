"""``tau remove ID``: an app of the user who asks."""

import argparse
import sys

from tau import near, ticket
from tau.bus import Bus, BusError
from tau.bus_names import error_name
from tau.columns import wrapped
from tau.findings import printable
from tau.names import data_folder, is_id
from tau.status import Status


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("app", metavar="ID", help="the app's id, like org.example.player")


def run(options: argparse.Namespace) -> int:
    """Remove the app; returns 1 when it is not there."""
    try:
        if not is_id(options.app):
            raise BusError(error_name(Status.NOT_THERE), "is not an app's id")
        given, kept = ticket.write(ticket.Wish.REMOVE, app=options.app)
        try:
            Bus().call("Remove", "h", given.fileno())
        finally:
            kept.close()
    except BusError as error:
        print(printable(f"{options.app}: {near.said(error, options.app)}"), file=sys.stderr)
        return 1
    said = f"{options.app} is removed; its data in ~/{data_folder(options.app)} is not"
    print(wrapped(said, sys.stdout.fileno()))
    return 0
