"""``tau install BUNDLE``: an app for the user who asks, after a look at what it may ask for."""

import argparse
import os
import sys
import termios

from tau import ticket
from tau.bus import Bus, BusError
from tau.command_list import Installed, installed
from tau.findings import printable
from tau.manifest import Manifest, check
from tau.permissions import PERMISSIONS


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("bundle", metavar="BUNDLE", help="the file that `tau pack` made")
    parser.add_argument("--yes", action="store_true", help="install without asking")


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
        print(_summary(manifest, installed(bus).get(manifest.id)))
        if not options.yes and not _asked("Install it?"):
            bus.call("Cancel", "t", number)
            return _fail("not installed")
        bus.call("Confirm", "t", number)
    except BusError as error:
        return _fail(f"{options.bundle}: {error.message}")
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
    return "\n".join(printable(line) for line in lines)


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    try:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before the question is no answer to it
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _fail(line: str) -> int:
    print(printable(line), file=sys.stderr)
    return 1
