"""The last step before an app's own program: its user is asked for what that can't be held at, files and devices.

An unmodified program finds its files there, or not, when it looks: no open(2) waits for an answer.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from tau.folders import INSIDE
from tau.portal import FILE, UndeclaredError, connect, request

#: How often sandboxd is asked when it goes before it has answered, and after how many seconds again.
_ATTEMPTS, _BETWEEN = 3, 0.5


def main() -> None:
    """Ask for the permissions that the arguments name, and become the program that follows ``--``.

    The first argument is the folder that it is to begin in, as far as it is there, or empty.
    """
    # As a program expects them: Python ignores two. (Of the third /usr/lib/tau/app-begin takes care, before all else.)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    folder, *words = sys.argv[1:]
    end = words.index("--")
    for permission in words[:end]:
        _ask(permission)
    _keep_connection()
    with contextlib.suppress(OSError):
        # What is not attached is an empty folder of the system's, in which nothing can be done.
        if folder and Path(folder).stat().st_dev != Path(INSIDE).stat().st_dev:
            os.chdir(folder)
    command = words[end + 1 :]
    os.execv(command[0], command)  # noqa: S606 - setpriv(1) and env(1), which say what is wrong with the app's own program


def _keep_connection() -> None:
    """Leave the app a connection to the portal, which it may not be able to make by itself."""
    with contextlib.suppress(OSError):
        connection = connect().detach()
        if connection == FILE:
            os.set_inheritable(connection, True)
        else:
            os.dup2(connection, FILE)
            os.close(connection)


def _ask(permission: str) -> None:
    """Have it asked for; sandboxd may be ended while the question stands, and another puts it anew."""
    for _ in range(_ATTEMPTS):
        try:
            request(permission)
            return
        except UndeclaredError:
            return
        except OSError:
            time.sleep(_BETWEEN)
