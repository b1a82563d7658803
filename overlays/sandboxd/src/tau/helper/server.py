"""One process for each connection of sandboxd's, made from one that has imported all: half a start is imports."""

import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from types import FrameType

#: Most connections at a time, with those that have become what waits for an app's end.
_MOST = 1000
#: Seconds without any after which it ends; systemd keeps the socket, and starts another.
_IDLE = 600


def run(listening: socket.socket, serve: Callable[[socket.socket], int]) -> None:
    """Have each connection served by a process of its own, until none has come, and none is left, for ten minutes.

    :param serve: serves one; returns the exit status of its process.
    """
    children: set[int] = set()

    def bury(number: int, frame: FrameType | None) -> None:
        while children:
            try:
                ended, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not ended:
                return
            children.discard(ended)

    signal.signal(signal.SIGCHLD, bury)
    listening.settimeout(_IDLE)
    # What is there by now is never thrown away, and not written to by a collection in each process (fork(2)).
    gc.freeze()
    while True:
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            if not children:
                return
            continue
        with connection:
            if len(children) < _MOST:
                _fork(listening, connection, serve, children)


def _fork(
    listening: socket.socket, connection: socket.socket, serve: Callable[[socket.socket], int], children: set[int]
) -> None:
    # One that ends at once is buried when it is known.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        child = os.fork()
        if child:
            children.add(child)
            return
        status = 1
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            listening.close()
            status = serve(connection)
        except BaseException:  # nothing of this process may go on in the loop above
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
