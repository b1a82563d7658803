"""``tau permissions``: what your apps may do, and what you have decided of it."""

import argparse
import json
import sys
import time
from pathlib import Path

from tau import near
from tau.bus import Bus, BusError, Reply
from tau.command_install import asked
from tau.command_stop import stop
from tau.decisions import DECISIONS, Decision, Scope
from tau.declared import declared
from tau.findings import printable
from tau.folders import PICKED
from tau.permissions import PERMISSIONS
from tau.pick import pick
from tau.usage import add_action
from tau.user_folders import FolderError

_MOST_LINES = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = add_action(actions, "list", "what your apps ask for, and what you have decided")
    listed.add_argument("app", metavar="ID", nargs="?", help="of one app alone")
    listed.add_argument("--json", action="store_true", help="as JSON, one object a permission")
    for name, summary in (("grant", "let an app do something"), ("deny", "don't let an app do something")):
        action = add_action(actions, name, summary)
        action.add_argument("app", metavar="ID", help="the app's id")
        action.add_argument("permission", metavar="PERMISSION", help="as `tau permissions list` calls it")
        action.add_argument("--session", action="store_true", help="until you log out, not always")
        _stopping(action)
    reset = add_action(actions, "reset", "be asked again")
    reset.add_argument("app", metavar="ID", help="the app's id")
    reset.add_argument(
        "permission", metavar="PERMISSION", nargs="?", default="", help="one alone; else all of the app's"
    )
    _stopping(reset)
    picked = add_action(actions, "pick", "choose the folder that an app may use")
    picked.add_argument("app", metavar="ID", help="the app's id")
    picked.add_argument("folder", metavar="FOLDER", help="below your home")
    history = add_action(actions, "history", "what you have decided, and when")
    history.add_argument("--lines", type=int, default=_MOST_LINES, metavar="N", help="how many (%(default)s)")
    history.add_argument("--json", action="store_true", help="as JSON, one object a decision")


def run(options: argparse.Namespace) -> int:
    """Do it; returns 1 when sandboxd refuses."""
    wrong = near.permission(options.permission) if getattr(options, "permission", "") else None
    if wrong:
        print(wrong, file=sys.stderr)
        return 1
    try:
        bus = Bus()
        if options.action == "list":
            return _list(bus, options)
        if options.action == "history":
            _history(bus, options)
        elif options.action == "pick":
            pick(bus, options.app, str(Path(options.folder).absolute()))
        elif options.action == "reset":
            _still_open(options, bus.call("Reset", "ss", options.app, options.permission))
        else:
            scope = Scope.SESSION if options.session else Scope.ALWAYS
            decision = Decision(options.action == "grant", scope)
            _still_open(options, bus.call("Decide", "sss", options.app, options.permission, decision.word))
            _say_which_folder(bus, options)
    except FolderError as error:
        print(printable(f"{options.folder}: {error}"), file=sys.stderr)
        return 1
    except BusError as error:
        app = getattr(options, "app", None)
        said = near.said(error, app) if app else error.message
        print(printable(f"{app or 'your apps'}: {said}"), file=sys.stderr)
        return 1
    return 0


def _stopping(parser: argparse.ArgumentParser) -> None:
    """What is done with an app that has something open which it may not have any more; else its user is asked."""
    parser.add_argument("--stop", action="store_true", help="end the app if it keeps something open that it has lost")
    parser.add_argument("--keep", action="store_true", help="let it run on, and don't ask")


def _still_open(options: argparse.Namespace, reply: Reply) -> None:
    """Say of an app that it keeps what it has open, and have it stopped if its user says so."""
    if not reply.number("b"):
        return
    print(printable(f"{options.app} runs. It can open nothing more; what it has open stays open until it ends."))
    if options.stop or (not options.keep and asked("Stop it now?")):
        stop(options.app)
    else:
        print(f"To stop it: tau stop {options.app}")


def _say_which_folder(bus: Bus, options: argparse.Namespace) -> None:
    """A grant of a folder that is still to be chosen gives nothing."""
    here = [each for each in declared(bus) if (each.app, each.permission) == (options.app, options.permission)]
    known = PERMISSIONS.get(options.permission)
    if options.action == "grant" and known and PICKED in known.folders and not any(each.folder for each in here):
        print(f"Which folder? Choose one: tau permissions pick {options.app} FOLDER")


def plain(word: str) -> str:
    """Return a decision's word as people read it."""
    decision = DECISIONS.get(word)
    if decision is None:
        return word
    return f"{'allowed' if decision.allowed else 'denied'} {decision.scope.plain}"


def _list(bus: Bus, options: argparse.Namespace) -> int:
    found = declared(bus)
    shown = [each for each in found if options.app in (None, each.app)]
    if options.app and not shown:
        said = near.missing(options.app, bus) or "asks for nothing"
        print(printable(f"{options.app}: {said}"), file=sys.stderr)
        return 1
    for each in shown:
        if options.json:
            print(json.dumps(each._asdict()))
        else:
            known = PERMISSIONS.get(each.permission)
            folder = f": ~/{each.folder}" if each.folder else ""
            what = f"({known.plain if known else each.permission}{folder})"
            print(printable(f"{each.app}  {each.permission}  {plain(each.decision)}  {what}"))
    return 0


def _history(bus: Bus, options: argparse.Namespace) -> None:
    reply = bus.call("History", "u", max(0, options.lines))
    found: list[tuple[int, str, str, str, str]] = []
    reply.enter("a", "(tssss)")
    while reply.enter("r", "tssss"):
        found.append((reply.number(), reply.text(), reply.text(), reply.text(), reply.text()))
        reply.leave()
    for moment, app, permission, word, how in reversed(found):  # the last at the end, as in `tau log`
        if options.json:
            line = {"time": moment, "app": app, "permission": permission, "decision": word, "how": how}
            print(json.dumps(line))
        else:
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
            print(f"{at}  {app}  {permission}  {plain(word)}  ({how})")
