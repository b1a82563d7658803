"""``tau install BUNDLE``: an app for the user who asks, after a look at what it may ask for."""

import argparse
import os
import sys
import termios

from tau import ticket
from tau.bus import Bus, BusError
from tau.bus_names import error_name
from tau.columns import wrapped
from tau.command_list import Installed, installed
from tau.findings import printable
from tau.folders import PICKED
from tau.manifest import FILE_NAME, Manifest, check
from tau.permissions import PERMISSIONS
from tau.prompt import ANSWERS
from tau.status import Status


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help="the file that `tau pack` made")
    parser.add_argument(
        "--yes", action="store_true", help="install without asking; the app asks when it wants something"
    )


def run(options: argparse.Namespace) -> int:
    """Install the bundle; returns 1 when it is not installed."""
    try:
        bundle = os.open(options.bundle, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        return _fail(f"{options.bundle}: can't be read: {error.strerror}")
    given, kept = ticket.write(ticket.Wish.INSTALL, [bundle])
    try:
        bus = Bus()
        reply = bus.call("Install", "h", given.fileno())
        number, manifest = reply.number(), check(reply.octets()).manifest
        if manifest is None:
            return _fail(f"{options.bundle}: the manifest is of a kind that this `tau` does not know")
        before = installed(bus).get(manifest.id)
        print(_summary(manifest, before))
        if not options.yes and not asked("Install it?"):
            bus.call("Cancel", "t", number)
            nobody = "" if sys.stdin.isatty() else ": there is no terminal to ask at; --yes installs without asking"
            return _fail(f"not installed{nobody}")
        new = [name for name in manifest.permissions if not before or name not in before.permissions]
        # Which folder is asked when it starts, and with it whether.
        new = [name for name in new if PICKED not in PERMISSIONS[name].folders]
        decided = {} if options.yes else _decided(new)
        bus.call("Confirm", "t", number)
        for permission, word in decided.items():
            try:
                bus.call("Decide", "sss", manifest.id, permission, word)
            except BusError as error:  # it is installed all the same
                _fail(f"{manifest.id}: {permission}: {error.message}")
    except BusError as error:
        _fail(f"{options.bundle}: {error.message}")
        if error.name == error_name(Status.BAD_BUNDLE) and not error.message.startswith(FILE_NAME):
            _fail("An app is one file, as its author has packed it. Has all of it arrived? Fetch it again.")
        return 1
    finally:
        kept.close()
    print(f"{manifest.id} is installed")
    return 0


def _summary(manifest: Manifest, before: Installed | None) -> str:
    lines = [f"{manifest.name} ({manifest.id}), version {manifest.version}"]
    lines += [f"  {manifest.summary}"] if manifest.summary else []
    lines += [f"It takes the place of version {before.version}."] if before else []
    lines += ["It may ask to:"] if manifest.permissions else ["It asks for nothing."]
    for name in manifest.permissions:
        new = " (new)" if before and name not in before.permissions else ""
        lines.append(f"  - {PERMISSIONS[name].plain}{new}")
    lines += [f"It adds the system calls {each.allow}: {each.reason}" for each in manifest.seccomp]
    return "\n".join(wrapped(printable(line), sys.stdout.fileno(), hanging=4) for line in lines)


def _decided(permissions: list[str]) -> dict[str, str]:
    """What the user decides at once of each permission; what they leave is asked when the app wants it."""
    words = {letter: ANSWERS[letter] for letter in "av"}  # as when it is asked later
    if permissions:
        print("May it? a: always, v: never, Enter: ask when it wants to")
    found = {}
    for name in permissions:
        answer = _answer(f"  {PERMISSIONS[name].plain} [a/v/ask] ")
        while answer not in ("", "ask", *words):
            answer = _answer("  a, v, or Enter: ")
        if answer in words:
            found[name] = words[answer]
    return found


def asked(question: str) -> bool:
    """Whether a user at a terminal says yes."""
    return _answer(f"{question} [y/N] ") in ("y", "yes")


def _answer(question: str) -> str:
    if not sys.stdin.isatty():
        return ""
    try:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before the question is no answer to it
        return input(f"{wrapped(question.rstrip(), sys.stdout.fileno(), hanging=4)} ").strip().lower()
    except EOFError:
        return ""


def _fail(line: str) -> int:
    sys.stdout.flush()  # what has been said before is read before
    print(printable(line), file=sys.stderr)
    return 1
