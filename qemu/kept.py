"""A booted machine that is kept between test runs: for whoever writes checks, never for CI.

A boot takes a minute, a restored snapshot a second. What is kept belongs to one image, with one set of settings and
credentials; for any other a new machine is booted, and takes its place.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from qemu.commandline import Settings
from qemu.credentials import guest_script
from qemu.errors import MachineError

#: A file in a machine's folder: it has booted, and its snapshot was taken.
READY = "ready"


def place(root: Path, image: Path, settings: Settings) -> Path:
    """Return the folder of the machine of an image with these settings; without one, all others are removed."""
    found = image.stat()
    # By identity, as make does it: a build replaces the file, and reading it takes longer than restoring.
    parts = (str(image.resolve()), found.st_size, found.st_mtime_ns, found.st_ino, settings, guest_script())
    folder = root / f"machine-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"
    if not (folder / READY).is_file():
        for other in root.glob("machine-*"):
            shutil.rmtree(other)
    return folder


@contextmanager
def opened(root: Path) -> Iterator[Path]:
    """Make the folder of kept machines and hold it for this process alone, for as long as the context lasts.

    :raises MachineError: in CI, where the image must be booted, or when another run holds it.
    """
    if os.environ.get("CI"):
        raise MachineError("a kept machine is for whoever writes checks: in CI the image is booted")
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise MachineError(f"the machines in {root} are in use by another run") from None
    try:
        yield root
    finally:
        lock.release()
