"""Where the helper keeps what: all of it root's, and readable for sandboxd."""

import os
from pathlib import Path

from tau.folders import is_below_home

#: Bundles that were copied and not yet installed: NUMBER.raw, NUMBER.roothash, NUMBER.record.
STAGED = Path("/var/lib/tau/sandbox/staged")
#: Installed apps: UID/ID/ROOT-HASH/, with a link `current` to one of these.
APPS = Path("/var/lib/tau/sandbox/apps")
#: In such a folder. systemd takes the root hash from the file that is called like the image (systemd-dissect(1)).
BUNDLE, ROOT_HASH, RECORD = "bundle.raw", "bundle.roothash", "record"
CURRENT = "current"
#: The AppArmor profile beside them, and where it lies compiled.
PROFILE, COMPILED = "profile", "profile.cache"
#: What of an app is mounted while it runs: UID/ID/ROOT-HASH/, and there the bundle, its user's data, and two files of
#: its /etc.
MOUNTED = Path("/run/tau/apps")
#: What an app's user, and their home, are called inside: the real names are none of its business.
USER, HOME = "user", "/home/user"
#: In an app's folder: the path of the folder that its user has picked for it.
PICKED = "picked"
#: What is attached to an instance: NAME/files/ and NAME/devices/.
ATTACHED = Path("/run/tau/attached")
#: Named pipes on which instances say how they ended (tau.helper.run).
PIPES = Path("/run/tau/pipes")


def staged(number: int, suffix: str) -> Path:
    """Return a file of what was staged under a number."""
    return STAGED / f"{number:016x}.{suffix}"


def app_folder(uid: int, app: str) -> Path:
    """Return the folder of one user's app."""
    return APPS / str(uid) / app


def picked(uid: int, app: str) -> str:
    """Return the folder that a user has picked for an app, relative to their home; empty when they have not."""
    try:
        path = (app_folder(uid, app) / PICKED).read_text()
    except OSError:
        return ""
    return path if is_below_home(path) else ""


def installed(uid: int, app: str, root_hash: bytes) -> Path:
    """Return the folder of one bundle of an app's."""
    return app_folder(uid, app) / root_hash.hex()


def mounted(uid: int, app: str, root_hash: bytes) -> Path:
    """Return where what is mounted of one bundle lies."""
    return MOUNTED / str(uid) / app / root_hash.hex()


def make_folder(path: Path, group: int) -> None:
    """Make a folder that the group can read, if there is none."""
    path.mkdir(mode=0o750, exist_ok=True)
    os.chown(path, -1, group)


def write_file(path: Path, content: bytes, group: int) -> None:
    """Write a new file that the group can read, and have it on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        os.fchown(descriptor, -1, group)
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
