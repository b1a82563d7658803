"""One of the helper's processes at a time: on folders that nobody but root can lock (flock(2))."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tau.helper import places


@contextmanager
def held() -> Iterator[None]:
    """Keep others from changing what is said of instances, and what passes their links."""
    with _locked(places.PIPES):
        yield


@contextmanager
def of_apps(uid: int, group: int) -> Iterator[None]:
    """Keep others from changing the same user's apps."""
    folder = places.APPS / str(uid)
    places.make_folder(folder, group)
    with _locked(folder):
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
