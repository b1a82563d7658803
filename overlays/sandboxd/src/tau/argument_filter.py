"""Make the system call filter that looks at arguments, and says ENOSYS, which SystemCallFilter= can't do beside a list
of what is allowed (systemd.exec(5)).

Two are made, once, when the image is built: one for every app, and one for those that may be given folders.
``setpriv --seccomp-filter`` loads one of them after the filter of the unit. seccomp(2), seccomp_export_bpf(3)
"""

import ctypes
import errno
import sys
from pathlib import Path

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_MASKED_EQUAL, _GREATER = 7, 6
#: The kernel looks at the lower half of an ioctl's number alone, and so has the filter to (CVE-2019-7303 of snapd).
_LOWER_HALF = 0xFFFFFFFF
#: What puts characters where they look typed by whoever sits at the terminal: ioctl_tty(2), ioctl_console(2).
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
#: What locks and unlocks encrypted homes (linux/fscrypt.h: FS_IOC_ADD_ENCRYPTION_KEY, _REMOVE_ENCRYPTION_KEY and
#: _REMOVE_ENCRYPTION_KEY_ALL_USERS): whoever has their user's number could take the key away from under the user.
_FSCRYPT_KEYS = (0xC0506617, 0xC0406618, 0xC0406619)
_REFUSED_IOCTLS = (_TIOCSTI, _TIOCLINUX, *_FSCRYPT_KEYS)
#: Of netlink(7), which asks for addresses and routes, the other protocols tell of the machine's devices.
_AF_NETLINK, _NETLINK_ROUTE = 16, 0
#: What programs do in another way where the kernel has none of it, and give up where it is forbidden. The arguments of
#: clone3 lie in memory, where no filter sees them: it could make namespaces (CVE-2021-41133 of flatpak).
_NOT_THERE = (b"clone3", b"io_uring_setup", b"io_uring_enter", b"io_uring_register")


#: Rights and attributes of files, which AppArmor does not look at: a hidden file could be made readable for everybody
#: (acl(5), system.posix_acl_access).
_ATTRIBUTES = (b"setxattr", b"lsetxattr", b"fsetxattr", b"removexattr", b"lremovexattr", b"fremovexattr")
#: Who connects to a socket that lies in a folder AppArmor does not look at either, nor does a read-only mount matter:
#: ssh's and gpg-agent's are such. A pair of sockets of one's own can't be connected anew, unless it is of datagrams.
_AF_UNIX, _SOCK_DGRAM, _SOCK_TYPE = 1, 2, 0xF


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of seccomp_rule_add(3)."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class _Filter:
    """What libseccomp makes a filter of: everything else is allowed."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2")
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(_ALLOW)))

    def refuse(self, call: bytes, error: int, *comparisons: _Comparison) -> None:
        """Refuse a call with an error number, when all comparisons of its arguments hold."""
        number = self._library.seccomp_syscall_resolve_name(call)
        action = ctypes.c_uint32(_ERRNO | error)
        given = (_Comparison * len(comparisons))(*comparisons)
        add = self._library.seccomp_rule_add_array
        _check(add(self._context, action, number, len(comparisons), given if comparisons else None))

    def write(self, path: Path) -> None:
        """Write it as a program for the kernel (seccomp_export_bpf(3))."""
        with path.open("wb") as file:
            _check(self._library.seccomp_export_bpf(self._context, file.fileno()))
        self._library.seccomp_release(self._context)


def _is(argument: int, value: int, mask: int = _LOWER_HALF) -> _Comparison:
    return _Comparison(argument, _MASKED_EQUAL, mask, value)


def write(path: Path, *, folders: bool) -> None:
    """Write a filter, for the architecture that this runs on.

    :param folders: whether it is the one for apps that may be given folders.
    :raises OSError: when libseccomp refuses, or the file can't be written.
    """
    made = _Filter()
    for name in _NOT_THERE:
        made.refuse(name, errno.ENOSYS)
    for name in _ATTRIBUTES:
        made.refuse(name, errno.EOPNOTSUPP)
    for request in _REFUSED_IOCTLS:
        made.refuse(b"ioctl", errno.EPERM, _is(1, request))
    made.refuse(b"socket", errno.EPROTONOSUPPORT, _is(0, _AF_NETLINK), _Comparison(2, _GREATER, _NETLINK_ROUTE, 0))
    if folders:
        made.refuse(b"socket", errno.EACCES, _is(0, _AF_UNIX))
        made.refuse(b"socketpair", errno.EACCES, _is(1, _SOCK_DGRAM, _SOCK_TYPE))
    made.write(path)


def _check(status: int) -> None:
    if status < 0:
        raise OSError(-status, "libseccomp refuses")


if __name__ == "__main__":
    write(Path(sys.argv[1], "arguments.bpf"), folders=False)
    write(Path(sys.argv[1], "folders.bpf"), folders=True)
