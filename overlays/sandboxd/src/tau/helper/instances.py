"""Write down what is said of an instance as long as it runs (:mod:`tau.running`), for sandboxd and what attaches."""

import grp
from pathlib import Path

from tau import running
from tau.helper import places
from tau.running import Running


def write(app: Running) -> None:
    """Write it down. Who calls this holds the lock, or is the only one who knows the instance yet.

    What waits for the instance's end removes the gate first, and then this: an instance that ends just now does not
    come back.
    """
    path = running.path(app.number)
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)  # of one of us that was ended
    places.write_file(beside, app.pack(), grp.getgrnam("sandboxd").gr_gid)
    beside.rename(path)
    if not gate(app).exists():
        path.unlink(missing_ok=True)


def gate(app: Running) -> Path:
    """Return where an instance waits until systemd knows of it; from then on until its end, the gate is executable."""
    return places.GATES / app.name


def forget(app: Running) -> None:
    """Leave nothing of one that does not start after all."""
    gate(app).unlink(missing_ok=True)
    running.path(app.number).unlink(missing_ok=True)
