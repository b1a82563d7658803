"""An app that is started, and left to itself: whether it has begun is told, and no more."""

import select
import socket
from collections.abc import Callable

from tau.relay import RelayError

#: Milliseconds between two looks whether it is there.
_AGAIN = 100


def begun(kept: socket.socket, find: Callable[[], int | None]) -> int | None:
    """Wait until an instance runs; returns None, or its exit status if it has ended by then.

    :param kept: the end of the ticket on which the status comes.
    :param find: returns its first process, when it is there.
    :raises RelayError: when it never began, or its end can't be known.
    """
    poll = select.poll()
    poll.register(kept, select.POLLIN)
    while not poll.poll(_AGAIN):
        if find() is not None:
            return None
    said = kept.recv(16)
    if not said.isdigit():
        raise RelayError("could not be started; `tau log` may say why")
    return int(said)
