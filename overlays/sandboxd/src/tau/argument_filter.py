"""Make the system call filter that looks at arguments, and says ENOSYS, which SystemCallFilter= can't do beside a list
of what is allowed (systemd.exec(5)).

It is made once, when the image is built, and is the same for every app: ``setpriv --seccomp-filter`` loads it after
the filter of the unit. seccomp(2), seccomp_export_bpf(3)
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


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of seccomp_rule_add(3)."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def write(path: Path) -> None:
    """Write the filter, for the architecture that this runs on.

    :raises OSError: when libseccomp refuses, or the file can't be written.
    """
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
    number = library.seccomp_syscall_resolve_name(b"ioctl")
    for name in _NOT_THERE:
        absent = ctypes.c_uint32(_ERRNO | errno.ENOSYS)
        _check(library.seccomp_rule_add_array(context, absent, library.seccomp_syscall_resolve_name(name), 0, None))
    for request in _REFUSED_IOCTLS:
        comparison = _Comparison(1, _MASKED_EQUAL, _LOWER_HALF, request)
        refused = ctypes.c_uint32(_ERRNO | errno.EPERM)
        _check(library.seccomp_rule_add_array(context, refused, number, 1, ctypes.byref(comparison)))
    family = (_Comparison(0, _MASKED_EQUAL, _LOWER_HALF, _AF_NETLINK), _Comparison(2, _GREATER, _NETLINK_ROUTE, 0))
    absent = ctypes.c_uint32(_ERRNO | errno.EPROTONOSUPPORT)
    both = (_Comparison * 2)(*family)
    socket = library.seccomp_syscall_resolve_name(b"socket")
    _check(library.seccomp_rule_add_array(context, absent, socket, 2, both))
    with path.open("wb") as file:
        _check(library.seccomp_export_bpf(context, file.fileno()))
    library.seccomp_release(context)


def _check(status: int) -> None:
    if status < 0:
        raise OSError(-status, "libseccomp refuses")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
