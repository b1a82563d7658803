"""``tau permissions``: what your apps may do, and what you have decided of it."""

import argparse
import json
import sys
import time

from tau.bus import Bus, BusError
from tau.decisions import DECISIONS, Decision, Scope
from tau.findings import printable
from tau.permissions import PERMISSIONS

_MOST_LINES = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="what your apps ask for, and what you have decided", allow_abbrev=False)
    listed.add_argument("app", metavar="ID", nargs="?", help="of one app alone")
    listed.add_argument("--json", action="store_true", help="as JSON, one object a permission")
    for name, summary in (("grant", "let an app do something"), ("deny", "don't let an app do something")):
        action = actions.add_parser(name, help=summary, allow_abbrev=False)
        action.add_argument("app", metavar="ID", help="the app's id")
        action.add_argument("permission", metavar="PERMISSION", help="as `tau permissions list` calls it")
        action.add_argument("--session", action="store_true", help="until you log out, not always")
    reset = actions.add_parser("reset", help="be asked again", allow_abbrev=False)
    reset.add_argument("app", metavar="ID", help="the app's id")
    reset.add_argument(
        "permission", metavar="PERMISSION", nargs="?", default="", help="one alone; else all of the app's"
    )
    history = actions.add_parser("history", help="what you have decided, and when", allow_abbrev=False)
    history.add_argument("--most", type=int, default=_MOST_LINES, metavar="N", help="lines (%(default)s)")
    history.add_argument("--json", action="store_true", help="as JSON, one object a decision")


def run(options: argparse.Namespace) -> int:
    """Do it; returns 1 when sandboxd refuses."""
    try:
        bus = Bus()
        if options.action == "list":
            return _list(bus, options)
        if options.action == "history":
            _history(bus, options)
        elif options.action == "reset":
            bus.call("Reset", "ss", options.app, options.permission)
        else:
            scope = Scope.SESSION if options.session else Scope.ALWAYS
            decision = Decision(options.action == "grant", scope)
            bus.call("Decide", "sss", options.app, options.permission, decision.word)
    except BusError as error:
        print(printable(f"{getattr(options, 'app', None) or 'your apps'}: {error.message}"), file=sys.stderr)
        return 1
    return 0


def plain(word: str) -> str:
    """Return a decision's word as people read it."""
    decision = DECISIONS.get(word)
    if decision is None:
        return word
    return f"{'allowed' if decision.allowed else 'denied'} {decision.scope.plain}"


def _list(bus: Bus, options: argparse.Namespace) -> int:
    reply = bus.call("Permissions")
    found = []
    reply.enter("a", "(sss)")
    while reply.enter("r", "sss"):
        found.append((reply.text(), reply.text(), reply.text()))
        reply.leave()
    shown = [each for each in found if options.app in (None, each[0])]
    if options.app and not shown:
        print(printable(f"{options.app}: is not installed, or asks for nothing"), file=sys.stderr)
        return 1
    for app, permission, word in shown:
        if options.json:
            print(json.dumps({"app": app, "permission": permission, "decision": word}))
        else:
            known = PERMISSIONS.get(permission)
            print(f"{app}  {permission}  {plain(word)}  ({known.plain if known else permission})")
    return 0


def _history(bus: Bus, options: argparse.Namespace) -> None:
    reply = bus.call("History", "u", max(0, options.most))
    reply.enter("a", "(tssss)")
    while reply.enter("r", "tssss"):
        moment, app, permission, word, how = reply.number(), *(reply.text() for _ in range(4))
        reply.leave()
        if options.json:
            line = {"time": moment, "app": app, "permission": permission, "decision": word, "how": how}
            print(json.dumps(line))
        else:
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
            print(f"{at}  {app}  {permission}  {plain(word)}  ({how})")
