"""``tau run ID [ARGUMENT…]``: an app that behaves like any other command, in a terminal and in a pipe."""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tau import background, ticket, user_folders
from tau.agent import ELSEWHERE, Agent, Question
from tau.bus import Bus, BusError
from tau.bus_names import error_name
from tau.declared import declared
from tau.findings import printable
from tau.folders import FOLDERS, HOME, PICKED, can_be_said
from tau.helper import instance
from tau.launch import Launch, LaunchError, of_form
from tau.names import data_folder, is_id
from tau.permissions import PERMISSIONS
from tau.prompt import ask
from tau.relay import Relay, RelayError
from tau.status import Status
from tau.streams import Streams

if TYPE_CHECKING:
    import argparse  # which is a tenth of a start (tau.cli)

#: What this command itself has failed with, so that an app's own status can be told from it (as timeout(1) does).
FAILED = 125


def arguments(parser: "argparse.ArgumentParser") -> None:
    """Add the sub-command's arguments."""
    import argparse

    parser.add_argument("--ephemeral", action="store_true", help="with an empty home, of which nothing is kept")
    parser.add_argument(
        "--background", action="store_true", help="leave it to itself; what it says is kept for `tau log`"
    )
    parser.add_argument("app", metavar="ID", help="the app's id, like org.example.player")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER, help="what follows is the app's")


def run(options: "argparse.Namespace") -> int:
    """Run the app; returns its exit status, 128 and the signal's number when one ended it, or 125.

    In the background: 0 as soon as it runs.
    """
    app = options.app
    try:
        if not is_id(app):
            raise BusError(error_name(Status.NOT_THERE), "is not an app's id")
        bus = Bus()
        data = _make_data(app)
        how = _how(options, bus)._replace(data=data)
        if options.background:
            return _begin(app, how, bus)
        with Streams() as streams:
            terminal, language = of_form(os.environ.get("TERM", ""), os.environ.get("LANG", ""))
            how = how._replace(terminal=terminal if streams.has_terminal else "", language=language)
            given, kept = ticket.write(ticket.Wish.RUN, streams.given, app, how.pack())
            # While sandboxd is asked, a signal ends this at once, and with it the terminal of what may just begin.
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_DFL)
            reply = bus.call("Run", "h", given.fileno())
            number, asks = reply.number(), bool(reply.number("b"))
            given.close()
            streams.close_given()
            name = instance.unit(os.getuid(), app, number)
            unasked: set[str] = set()

            def put(question: Question, agent: Agent) -> str:
                word = ask(question, agent, relay.ends)
                if word == ELSEWHERE:
                    unasked.add(question.permission)
                return word

            agent = Agent(put, app, number, bus) if asks else None
            if agent:
                with contextlib.suppress(BusError):  # it runs already; what it asks for is refused
                    agent.connect()
            relay = Relay(streams, agent)
            status = relay.run(kept, lambda: instance.init_process(name))
        _tell(app, unasked, bus)
        return status
    except BusError as error:
        from tau import near

        said = near.said(error, app)
        _drop_data(app)
    except (LaunchError, RelayError) as error:
        said = str(error)
    except OSError as error:
        said = f"{error.filename or 'its streams'}: {error.strerror}"
    print(printable(f"{app}: {said}"), file=sys.stderr)
    return FAILED


def _tell(app: str, unasked: set[str], bus: Bus) -> None:
    """Say what an app has asked for while nobody could be asked here, nor has decided it elsewhere: in a pipe one sees
    that it fails, not why.
    """
    here = []
    if unasked:
        with contextlib.suppress(BusError):  # the app has run, and its status is what counts
            here = declared(bus)
    for each in here:
        if (each.app, each.decision) == (app, "ask") and each.permission in unasked and each.permission in PERMISSIONS:
            wanted = PERMISSIONS[each.permission].plain
            said = f"wanted to {wanted}, and you could not be asked at this terminal; `tau agent` asks at another one"
            print(printable(f"{app}: {said}"), file=sys.stderr)


def _begin(app: str, how: Launch, bus: Bus) -> int:
    """Start it, and leave it to itself.

    :raises BusError: when sandboxd refuses.
    :raises RelayError: when it never began.
    """
    how = how._replace(language=of_form("", os.environ.get("LANG", ""))[1])
    given, kept = ticket.write(ticket.Wish.BACKGROUND, (), app, how.pack())
    with given, kept:
        reply = bus.call("Run", "h", given.fileno())
        number, asks = reply.number(), bool(reply.number("b"))
        given.close()
        name = instance.unit(os.getuid(), app, number)
        status = background.begun(kept, lambda: instance.init_process(name))
    if status is not None:
        print(f"{app} has ended already: tau log {app}")
        return status
    print(f"{app} runs. What it says: tau log {app}. To end it: tau stop {app}")
    if asks:
        print("What it may have to ask is asked where you run `tau agent`; else the answer is no, for now.")
    return 0


def _how(options: "argparse.Namespace", bus: Bus) -> Launch:
    """How it is started: what the user names of their own folders is handed on as the app finds it."""
    here = [each for each in declared(bus) if each.app == options.app and each.permission in PERMISSIONS]
    home = user_folders.home()
    where = user_folders.of_user(home)
    paths = dict(zip(FOLDERS, where, strict=True)) | {HOME: "."}
    paths[PICKED] = next((each.folder for each in here if each.folder), "")
    places: dict[str, str] = {}
    named = set()
    for each in here:
        if not each.decision.startswith("deny"):
            names = PERMISSIONS[each.permission].folders
            places |= {name: str(home / paths[name]) for name in names if paths[name]}
            named |= set(names) if len(names) == 1 else set()
    for line in user_folders.not_attached(home, places, named):
        print(printable(f"{options.app}: {line}"), file=sys.stderr)
    arguments = [user_folders.handed_on(word, places) for word in options.arguments]
    return Launch(tuple(arguments), options.ephemeral, folders=where, folder=_begins_in(places))


def _begins_in(places: dict[str, str]) -> str:
    """The folder that this is started in, as the app finds it; empty when it is none that the app may be given."""
    here = os.environ.get("PWD", "")  # as its user knows it, links and all
    try:
        real = str(Path.cwd())
        candidates = [here, real] if here and Path(here).samefile(".") else [real]
    except OSError:
        return ""
    found = [inside for inside in (user_folders.inside(path, places) for path in candidates) if inside]
    return found[0] if found and can_be_said(found[0]) else ""


def _drop_data(app: str) -> None:
    """Leave no folder for an app that could not be asked for: with something in it, it stays."""
    if is_id(app):
        with contextlib.suppress(OSError):
            (user_folders.home() / data_folder(app)).rmdir()


def _make_data(app: str) -> int:
    """Make the folder of the app's data, as the user: root writes nothing into a home, and follows no links there.

    :returns: its inode.
    :raises LaunchError: when there is a link on the way.
    """
    folder = user_folders.home() / data_folder(app)
    for step in (*reversed(folder.parents[:3]), folder):
        if step.is_symlink():
            raise LaunchError(f"its data can't lie in {folder}: {step} is a link")
    old = os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(old)
    return folder.stat().st_ino
