"""``tau run ID [ARGUMENT…]``: an app that behaves like any other command, in a terminal and in a pipe."""

import argparse
import contextlib
import os
import pwd
import signal
import sys
from pathlib import Path

from tau import ticket
from tau.agent import Agent
from tau.bus import Bus, BusError
from tau.findings import printable
from tau.helper import instance
from tau.launch import Launch, LaunchError, of_form
from tau.names import data_folder, is_id
from tau.prompt import ask
from tau.relay import Relay, RelayError
from tau.streams import Streams

#: What this command itself has failed with, so that an app's own status can be told from it (as timeout(1) does).
FAILED = 125


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("--ephemeral", action="store_true", help="with an empty home, of which nothing is kept")
    parser.add_argument("app", metavar="ID", help="the app's id, like org.example.player")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER, help="what follows is the app's")


def run(options: argparse.Namespace) -> int:
    """Run the app; returns its exit status, 128 and the signal's number when one ended it, or 125."""
    app = options.app
    try:
        if not is_id(app):
            raise BusError("", "is not an app's id")
        _make_data(app)
        with Streams() as streams:
            terminal, language = of_form(os.environ.get("TERM", ""), os.environ.get("LANG", ""))
            terminal = terminal if streams.has_terminal else ""
            how = Launch(tuple(options.arguments), options.ephemeral, terminal, language)
            given, kept = ticket.write(ticket.Wish.RUN, streams.given, app, how.pack())
            # While sandboxd is asked, a signal ends this at once, and with it the terminal of what may just begin.
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_DFL)
            bus = Bus()
            reply = bus.call("Run", "h", given.fileno())
            number, asks = reply.number(), bool(reply.number("b"))
            given.close()
            streams.close_given()
            name = instance.unit(os.getuid(), app, number)
            agent = Agent(lambda question, agent: ask(question, agent, relay.ends), app, number, bus) if asks else None
            if agent:
                with contextlib.suppress(BusError):  # it runs already; what it asks for is refused
                    agent.connect()
            relay = Relay(streams, agent)
            return relay.run(kept, lambda: instance.init_process(name))
    except BusError as error:
        said = error.message
    except (LaunchError, RelayError) as error:
        said = str(error)
    except OSError as error:
        said = f"{error.filename or 'its streams'}: {error.strerror}"
    print(printable(f"{app}: {said}"), file=sys.stderr)
    return FAILED


def _make_data(app: str) -> None:
    """Make the folder of the app's data, as the user: root writes nothing into a home, and follows no links there.

    :raises LaunchError: when there is a link on the way.
    """
    folder = Path(pwd.getpwuid(os.getuid()).pw_dir, data_folder(app))
    for step in (*reversed(folder.parents[:3]), folder):
        if step.is_symlink():
            raise LaunchError(f"its data can't lie in {folder}: {step} is a link")
    old = os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(old)
