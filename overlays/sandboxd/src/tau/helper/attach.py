"""Attach to an instance what its file says, and take away all else: the program of tau-files@.service.

It runs in the system's own mount namespace, when an instance starts, and again each time that something is decided.
"""

import errno
import os
import pwd
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tau import running
from tau.folders import FOLDERS, HOME, PICKED
from tau.helper import mounts, nodes, places
from tau.helper.places import picked
from tau.permissions import PERMISSIONS, attached_of
from tau.running import Running

_MOUNTS = Path("/proc/self/mountinfo")
#: Which word of a line is what.
_TARGET, _OPTIONS = 4, 5
_DEVICES = Path("/dev")
#: Why something is left out: it is not there, somebody else's, there is a link on the way, or another file system.
_LEFT_OUT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV, errno.EPERM)


def attach(app: Running, *, devices: bool = True) -> bool:
    """Have mounted what is wanted, and nothing else; whether all of it could be done. What could not is said.

    A folder that is not there, or that nobody could be given, is left out.
    """
    top = places.ATTACHED / app.name
    mounted, done = _mounted(top), True
    wanted = {target: each for target, each in _wanted(app, top).items() if devices or not each.node}
    for target in [each for each in mounted if each not in wanted]:
        done = _done(target, partial(mounts.detach, target)) and done
    for target, each in wanted.items():
        done = _done(target, partial(each.have, target, mounted.get(target))) and done
    return done


class _Source(NamedTuple):
    """What is to be mounted: below which folder it lies, where there, and whether read-only; of devices, the node."""

    top: Path
    path: str
    uid: int
    read_only: bool = False
    node: bool = False

    def have(self, target: Path, mounted: bool | None) -> None:
        """Have it mounted.

        :param mounted: whether what is there by now is read-only, or None when there is nothing.
        :raises OSError: when it can't be.
        """
        try:
            source = self._open()
        except OSError as error:
            if error.errno not in _LEFT_OUT:
                raise
            print(f"{self.path}: not attached: {error.strerror}", file=sys.stderr)
            if mounted is not None:
                mounts.detach(target)
            return
        try:
            if mounted is not None:
                if mounted == self.read_only and os.path.samestat(target.stat(), os.fstat(source)):
                    return
                mounts.detach(target)
            if self.node:
                mounts.attach_node(source, target)
            else:
                mounts.attach(source, target, read_only=self.read_only)
        finally:
            os.close(source)

    def _open(self) -> int:
        if self.node:
            return os.open(self.top / self.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        return mounts.open_below(self.top, self.path, self.uid)


def _wanted(app: Running, top: Path) -> dict[Path, _Source]:
    """Make the places of what is declared, and return what is to be mounted there."""
    found = {}
    declared, wanted = attached_of(app.permissions), attached_of(app.wanted & app.permissions)
    home, where = Path(pwd.getpwuid(app.uid).pw_dir), dict(zip(FOLDERS, app.folders, strict=True))
    where |= {HOME: ".", PICKED: picked(app.uid, app.app)}
    for name in sorted({folder for each in declared for folder in PERMISSIONS[each].folders}):
        target = top / "files" / name
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        given = [PERMISSIONS[each] for each in wanted if name in PERMISSIONS[each].folders]
        if given and where[name]:
            found[target] = _Source(home, where[name], app.uid, read_only=not any(each.writes for each in given))
    for permission in declared:
        for name in nodes.of(permission):
            target = top / "devices" / name
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            target.touch(mode=0o000)
            if permission in wanted:
                found[target] = _Source(_DEVICES, name, 0, node=True)
    return found


def _done(target: Path, step: Callable[[], None]) -> bool:
    try:
        step()
    except OSError as error:
        print(f"{target}: {error.strerror}", file=sys.stderr)
        return False
    return True


def _mounted(top: Path) -> dict[Path, bool]:
    """What is mounted on the places below a folder of root's, and whether read-only (proc_pid_mountinfo(5)).

    In bytes: a line holds names that users give, and they may hold anything.
    """
    found = {}
    for line in _MOUNTS.read_bytes().split(b"\n"):
        words = line.split(b" ")
        if len(words) > _OPTIONS and words[_TARGET].startswith(os.fsencode(f"{top}/")):
            found[Path(os.fsdecode(words[_TARGET]))] = b"ro" in words[_OPTIONS].split(b",")
    return found


def main() -> int:
    """Attach to the instance that the last argument names; with ``--start`` before it, no devices yet.

    What the app's unit binds to a node of its own must be the empty file beneath: a device that was mounted there
    already would be bound itself, and stay when it is taken away outside.
    """
    os.umask(0o022)
    *options, name = sys.argv[1:]
    try:
        app = running.read(int(name.rpartition("-")[2], 16))
        if app is None or app.name != name:
            raise ValueError("no such instance runs")
        return 0 if attach(app, devices=options != ["--start"]) else 1
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
