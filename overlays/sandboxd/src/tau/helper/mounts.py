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
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV, _MOUNT_ATTR_NOEXEC = 1, 2, 4, 8
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
#: mount(2): a mount that is a copy goes on showing what is mounted below what it was made from, unless it is private.
_MS_PRIVATE = 1 << 18
#: fcntl.h
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000


class _How(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


class _Attributes(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def open_below(top: Path, path: str, uid: int) -> int:
    """Open a folder below one that can be trusted, whatever its user does meanwhile.

    :param path: relative to `top`; no part of it may be a link, or another file system.
    :param uid: whose it must be.
    :returns: a descriptor (O_PATH).
    :raises OSError: as openat2(2); EPERM when it is somebody else's.
    """
    found = _open_below(top, path)
    if os.fstat(found).st_uid != uid:
        os.close(found)
        raise OSError(errno.EPERM, f"it is not user {uid}'s")
    return found


def _open_below(top: Path, path: str) -> int:
    folder = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _How(os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0, _RESOLVE)
        return _call(_SYS_OPENAT2, folder, path.encode(), ctypes.byref(how), ctypes.sizeof(how))
    finally:
        os.close(folder)


def attach(folder: int, target: Path, *, read_only: bool = False, executable: bool = False) -> None:
    """Mount a folder that is open on an empty one of root's, without devices and set-uid programs.

    :param folder: a descriptor of it.
    :param read_only: whether nothing can be written there.
    :param executable: whether programs there can be started.
    :raises OSError: as mount(2).
    """
    attributes = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV | (_MOUNT_ATTR_RDONLY if read_only else 0)
    _mount(folder, target, attributes | (0 if executable else _MOUNT_ATTR_NOEXEC))


def attach_node(node: int, target: Path) -> None:
    """Mount the node of a character device that is open on an empty file of root's.

    :param node: a descriptor of it (O_PATH).
    :raises OSError: when it is none, or as mount(2).
    """
    if not stat.S_ISCHR(os.fstat(node).st_mode):
        raise OSError(errno.ENODEV, "it is not a character device")
    _mount(node, target, _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NOEXEC)


def detach(target: Path) -> None:
    """Take away what is mounted on a file or folder; who has something of it open keeps that.

    :raises OSError: as umount(2).
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount(source: int, target: Path, attributes: int) -> None:
    tree = _call(_SYS_OPEN_TREE, source, b"", ctypes.c_uint(_OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_EMPTY_PATH))
    try:
        wanted = _Attributes(attr_set=attributes, propagation=_MS_PRIVATE)
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
