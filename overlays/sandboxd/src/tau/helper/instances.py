"""Write down what is said of an instance as long as it runs (:mod:`tau.running`), for sandboxd and what attaches."""

import fcntl
import grp
import os
import termios
from pathlib import Path

from tau import running
from tau.helper import places
from tau.running import Running


def write(app: Running) -> None:
    """Write it down. Who calls this holds the lock, or is the only one who knows the instance yet.

    What waits for the instance's end removes its pipe first, and then this: an instance that ends just now does not
    come back.
    """
    path = running.path(app.number)
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)  # of one of us that was ended
    places.write_file(beside, app.pack(), grp.getgrnam("sandboxd").gr_gid)
    beside.rename(path)
    if not pipe(app).exists():
        path.unlink(missing_ok=True)


def pipe(app: Running) -> Path:
    """Return the pipe on which an instance says that it has begun, and how it ended; it is there until then."""
    return places.PIPES / app.name


def has_begun(app: Running) -> bool:
    """Whether the first process of an instance runs, so that its namespaces are made: it has said something.

    :raises FileNotFoundError: when it runs no more.
    """
    descriptor = os.open(pipe(app), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # How much can be read (FIONREAD, ioctl(2)): none of it is ours to take.
        return any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
    finally:
        os.close(descriptor)


def forget(app: Running) -> None:
    """Leave nothing of one that does not start after all."""
    pipe(app).unlink(missing_ok=True)
    running.path(app.number).unlink(missing_ok=True)
