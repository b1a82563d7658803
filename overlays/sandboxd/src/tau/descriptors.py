"""Receive file descriptors with a message (unix(7), SCM_RIGHTS), and learn who is at the other end.

Not by Python's socket.recv_fds: it drops its flags (3.11 to 3.13), so that it waits where it must not, and what it
receives is inherited by every program that is started.
"""

import array
import os
import socket
import struct
from collections.abc import Iterable

_UCRED = struct.Struct("iII")


def receive(connection: socket.socket, size: int, most: int, flags: int = 0) -> tuple[bytes, list[int], bool]:
    """Return the next message, its descriptors, and whether anything of it was cut off.

    :param size: bytes that it may have.
    :param most: descriptors that it may have.
    :param flags: of recvmsg(2).
    :raises OSError: as recvmsg(2).
    """
    found = array.array("i")
    space = socket.CMSG_LEN(most * found.itemsize)
    data, control, got, _ = connection.recvmsg(size, space, flags | socket.MSG_CMSG_CLOEXEC)
    for level, kind, content in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(content[: len(content) // found.itemsize * found.itemsize])
    return data, list(found), bool(got & (socket.MSG_TRUNC | socket.MSG_CTRUNC))


def as_socket(descriptor: int) -> socket.socket:
    """Return a socket for a descriptor that somebody has sent, which stays the caller's to close.

    :raises OSError: when it is none.
    """
    own = os.dup(descriptor)
    try:
        return socket.socket(fileno=own)
    except BaseException:
        os.close(own)
        raise


def peer_uid(connection: socket.socket) -> int:
    """Return the user whose process made the other end of a Unix socket (SO_PEERCRED, unix(7)).

    :raises OSError: as getsockopt(2).
    """
    _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


def close(descriptors: Iterable[int]) -> None:
    """Close all of them."""
    for descriptor in descriptors:
        os.close(descriptor)
