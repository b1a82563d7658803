"""``tau log [ID]``: what the user's apps have done, as the system's journal has it."""

import argparse
import json
import os
import sys
import time

from tau import log_line, near, ticket
from tau.bus import Bus, BusError
from tau.bus_names import error_name
from tau.findings import printable
from tau.log_line import LogLine
from tau.log_wish import LogWish, LogWishError
from tau.names import is_id
from tau.status import Status

_LINES = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("app", metavar="ID", nargs="?", default="", help="of one app alone")
    parser.add_argument("--follow", action="store_true", help="and what comes later, as it comes; Ctrl-C ends it")
    parser.add_argument(
        "--lines", type=int, default=_LINES, metavar="N", help="the last so many (%(default)s); 0 is all"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, one object a line")


def run(options: argparse.Namespace) -> int:
    """Show it; returns 1 when the journal can't be read."""
    try:
        if options.app and not is_id(options.app):
            raise BusError(error_name(Status.NOT_THERE), "is not an app's id")
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as lines:
            try:
                wish = LogWish(options.lines, options.follow).pack()
                given, kept = ticket.write(ticket.Wish.LOG, [writing], options.app, wish)
            finally:
                os.close(writing)
            with given, kept:
                Bus().call("Log", "h", given.fileno())
                given.close()
                shown = 0
                for line in lines:
                    found = log_line.read(line)
                    if found:
                        shown += 1
                        print(_shown(found, as_json=options.json), flush=options.follow)
                if kept.recv(16) != b"0":
                    raise BusError("", "the journal can't be read; it says why itself, to who may see all of it")
            if options.app and not shown and (said := near.missing(options.app, Bus())):
                return _fail(f"{options.app}: {said}")
    except LogWishError as error:
        return _fail(str(error))
    except BusError as error:
        return _fail(f"{options.app or 'your apps'}: {near.said(error, options.app)}")
    return 0


def _shown(line: LogLine, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(line._asdict())
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.time))
    # What an app says can't be taken for what is said of it.
    text = f"> {line.text}" if line.event == "says" else line.text
    return printable(f"{at}  {line.app}  {line.instance or '-':8}  {text}")


def _fail(line: str) -> int:
    print(printable(line), file=sys.stderr)
    return 1
