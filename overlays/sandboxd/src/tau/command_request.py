"""``tau request PERMISSION…``: for use in an app, which asks its user for what it declares."""

import argparse
import sys

from tau import near
from tau.portal import UndeclaredError, request
from tau.this_system import NO_TAU_OS, is_tau_os


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("permissions", metavar="PERMISSION", nargs="+", help="as the app's manifest writes it")


def run(options: argparse.Namespace) -> int:
    """Ask for each; returns 1 when one is refused, or this is no app."""
    if not is_tau_os():
        print(NO_TAU_OS, file=sys.stderr)
        return 1
    refused = False
    for name in options.permissions:
        if wrong := near.permission(name):
            print(wrong, file=sys.stderr)
            return 1
        try:
            allowed = request(name)
        except UndeclaredError:
            print(f"{name}: is not in this app's manifest", file=sys.stderr)
            return 1
        except FileNotFoundError:
            print("this app's manifest declares nothing, and so there is nothing to ask for", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"{name}: can't be asked for here: {error.strerror} (it is apps that ask)", file=sys.stderr)
            return 1
        print(f"{name}: {'allowed' if allowed else 'refused'}")
        refused = refused or not allowed
    return 1 if refused else 0
