"""Ask sandboxd from inside an app: a permission's name in a datagram, a word in another.

Which app that is, the kernel says. A question stands until its user has answered: whoever asks waits.
"""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Iterator

#: Where it listens, in an app and outside.
SOCKET = "/run/tau/portal"
#: Where an app that may be given folders finds a connection: it can make no sockets that have a name, since AppArmor
#: does not see who connects to what lies in a folder (:mod:`tau.argument_filter`).
VARIABLE, FILE = "TAU_PORTAL", 3
#: The answers.
ALLOWED, REFUSED, UNDECLARED = b"allowed", b"refused", b"undeclared"
#: Longest message, in bytes.
MOST_BYTES = 128


class UndeclaredError(Exception):
    """The app's manifest does not declare what was asked for."""


def request(permission: str, path: str = SOCKET) -> bool:
    """Return whether this app may, by what its user has decided, or decides now.

    :param permission: as the manifest writes it.
    :raises UndeclaredError: when it is not declared, or no permission.
    :raises OSError: when sandboxd can't be asked, or has gone before there was an answer.
    """
    with _turn(), _connection(path) as connection:
        connection.send(permission.encode())
        answer = connection.recv(MOST_BYTES)
    if answer == UNDECLARED:
        raise UndeclaredError
    if answer not in (ALLOWED, REFUSED):
        raise ConnectionResetError(errno.ECONNRESET, "sandboxd has gone")
    return answer == ALLOWED


def connect(path: str = SOCKET) -> socket.socket:
    """Return a connection.

    :raises OSError: as connect(2).
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connection(path: str) -> socket.socket:
    given = os.environ.get(VARIABLE, "")
    return socket.socket(fileno=os.dup(int(given))) if given.isdecimal() else connect(path)


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Of those who share a connection one asks at a time: an answer names no question."""
    if not os.environ.get(VARIABLE):
        yield
        return
    with open("/tmp/.tau-portal", "a") as file:  # noqa: S108, PTH123 - the app's own, and gone with it
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
