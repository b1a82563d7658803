"""``tau stop ID``: end what runs of an app. It is the user's own process: nobody has to be asked."""

import argparse
import contextlib
import os
import select
import signal
import sys

from tau import near
from tau.bus import Bus, BusError
from tau.command_ps import running
from tau.findings import printable

#: Milliseconds until an app that does not end by itself is ended (SIGKILL).
_GRACE = 10_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("app", metavar="ID", help="the app's id")


def run(options: argparse.Namespace) -> int:
    """Stop it; returns 1 when it does not run."""
    if stop(options.app):
        return 0
    said = "does not run"
    with contextlib.suppress(BusError):  # nobody has to be asked for what is done here
        said = near.missing(options.app, Bus()) or said
    print(printable(f"{options.app}: {said}"), file=sys.stderr)
    return 1


def stop(app: str) -> bool:
    """End all instances of an app: its init hands a signal on, and with it all others end (pid_namespaces(7)).

    :returns: whether there was one.
    """
    found = _processes(app)
    with contextlib.ExitStack() as opened:
        ends = []
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                end = os.pidfd_open(pid)
                opened.callback(os.close, end)
                if pid in _processes(app):  # still, so that it is this one's and not of a later process
                    ends.append(end)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for each in ends:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(each, number)
            if _all_ended(ends):
                break
    return bool(found)


def _processes(app: str) -> list[int]:
    return [each.pid for each in running() if each.id == app]


def _all_ended(ends: list[int]) -> bool:
    """Whether processes end within the grace."""
    for each in ends:
        poll = select.poll()
        poll.register(each, select.POLLIN)
        if not poll.poll(_GRACE):
            return False
    return True
