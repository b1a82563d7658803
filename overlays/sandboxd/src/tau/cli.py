"""The command ``tau``: finds the sub-command, and imports no more than that one needs."""

import importlib
import signal
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

#: The sub-commands: the module that has its `arguments` and `run`, and what `tau --help` says of it.
COMMANDS: dict[str, tuple[str, str]] = {
    "install": ("tau.command_install", "install an app from its bundle"),
    "remove": ("tau.command_remove", "remove an app"),
    "run": ("tau.command_run", "run an app"),
    "ps": ("tau.command_ps", "list your apps that run"),
    "stop": ("tau.command_stop", "end an app that runs"),
    "log": ("tau.command_log", "show what your apps have done"),
    "list": ("tau.command_list", "list your apps"),
    "permissions": ("tau.command_permissions", "see and change what your apps may do"),
    "agent": ("tau.command_agent", "be asked at this terminal what your apps may do"),
    "request": ("tau.command_request", "in an app: ask its user for a permission"),
    "manifest": ("tau.command_manifest", "check an app's manifest"),
    "pack": ("tau.command_pack", "make a signed bundle of an app's folder"),
}


def main(arguments: Sequence[str]) -> int:
    """Run ``tau ARGUMENTS`` and return its exit status: 0, 1 (findings), or 2 (wrong use)."""
    options = _plain_start(arguments)
    if options is None:
        from tau.usage import parsed

        options = parsed(arguments, COMMANDS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nothing half-made stays behind, as on Ctrl-C
    try:
        status = importlib.import_module(COMMANDS[options.command][0]).run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # its reader has gone: nothing to say, and nobody to say it to
        return 141
    return int(status)


def _plain_start(arguments: Sequence[str]) -> Any:
    """The options of ``tau run ID …``, or None for all else: to import argparse takes a tenth of such a start."""
    if arguments[:1] != ["run"] or not arguments[1:] or arguments[1].startswith("-"):
        return None
    return SimpleNamespace(
        command="run", app=arguments[1], arguments=list(arguments[2:]), ephemeral=False, background=False
    )
