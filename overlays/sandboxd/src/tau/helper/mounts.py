"""Mount a folder of a user's without following anything that the user made (openat2(2), open_tree(2), move_mount(2)).

Python has none of these calls; their numbers are the same on each architecture since Linux 5.2.
"""

import ctypes
import errno
import os
import stat
from pathlib import Path

_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_OPENAT2, _SYS_MOUNT_SETATTR = 428, 429, 437, 442
#: linux/openat2.h: no other file system, no link of any kind, nothing above the folder that it begins with.
_RESOLVE = 0x01 | 0x02 | 0x04 | 0x08
#: linux/mount.h
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC, _MOVE_MOUNT_F_EMPTY_PATH = 1, os.O_CLOEXEC, 4
_MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 2, 4
#: fcntl.h
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000


class _How(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


class _Attributes(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def open_below(top: Path, path: str) -> int:
    """Open a folder below one that can be trusted, whatever its user does meanwhile.

    :param path: relative to `top`; no part of it may be a link, or another file system.
    :returns: a descriptor (O_PATH).
    :raises OSError: as openat2(2).
    """
    folder = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _How(os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0, _RESOLVE)
        return _call(_SYS_OPENAT2, folder, path.encode(), ctypes.byref(how), ctypes.sizeof(how))
    finally:
        os.close(folder)


def attach(folder: int, target: Path, uid: int) -> None:
    """Mount a folder that is open on an empty one of root's, without devices and set-uid programs.

    :param folder: a descriptor of it.
    :param uid: whose it must be.
    :raises OSError: when it is not, or as mount(2).
    """
    status = os.fstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid:
        raise OSError(errno.EPERM, f"it is not a folder of user {uid}'s")
    tree = _call(_SYS_OPEN_TREE, folder, b"", ctypes.c_uint(_OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_EMPTY_PATH))
    try:
        wanted = _Attributes(attr_set=_MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV)
        _call(_SYS_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, ctypes.byref(wanted), ctypes.sizeof(wanted))
        _call(_SYS_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree)


def _call(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    result = int(library.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
