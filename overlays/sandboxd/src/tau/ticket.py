"""A user's word, given to sandboxd and believed by the helper: a pair of connected sockets that the user made.

The kernel says of a socket pair who made it (SO_PEERCRED, SO_PEERPIDFD; unix(7)), whoever holds it now, and what was
written into one end can be read from the other alone, files that travel with it included. So sandboxd can hand on
what a user asked for, and neither make it nor change it: one that was taken over installs, removes and starts nothing
that nobody asked for.
"""

import os
import re
import socket
import struct
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from tau import descriptors
from tau.limits import FIRST_UID, LAST_UID

#: socket(7); Python has no name for it yet.
_SO_PEERPIDFD = 77
#: What is asked for, and an id.
_WORDS = struct.Struct("!B7x128s")
#: Most bytes that follow them.
MAX_DETAILS = 128 * 1024


class Wish(IntEnum):
    """What a ticket is good for."""

    #: Files: the bundle.
    INSTALL = 1
    REMOVE = 2
    #: Files: standard input, output and error. Details: :mod:`tau.launch`.
    RUN = 3
    #: To be asked by sandboxd, on this very socket. Details: the number of the instance that it is about, in four
    #: bytes, or nothing when it is about all of the user's.
    AGENT = 4
    #: To give an app a folder of the user's own choice. Details: its path below their home.
    PICK = 5
    #: To start an app that nobody stands beside: what it says goes to the journal. Details: :mod:`tau.launch`.
    BACKGROUND = 6
    #: To read what the journal has of the user's apps, or of one. Files: the pipe that it is written to. Details:
    #: :mod:`tau.log_wish`.
    LOG = 7


_FILES = {
    Wish.INSTALL: 1,
    Wish.REMOVE: 0,
    Wish.RUN: 3,
    Wish.AGENT: 0,
    Wish.PICK: 0,
    Wish.BACKGROUND: 0,
    Wish.LOG: 1,
}
_WITH_DETAILS = (Wish.RUN, Wish.AGENT, Wish.PICK, Wish.BACKGROUND, Wish.LOG)


class TicketError(Exception):
    """The ticket is none, or not one for this."""


class Asked(NamedTuple):
    """What a user asked for.

    :param uid: of the user.
    :param app: the id; of an installation, the bundle says it.
    :param files: descriptors that came with it, as many as the wish takes; whoever reads the ticket closes them.
    :param details: what else the wish says.
    """

    uid: int
    wish: Wish
    app: str
    files: tuple[int, ...]
    details: bytes = b""


def write(
    wish: Wish, files: Sequence[int] = (), app: str = "", details: bytes = b""
) -> tuple[socket.socket, socket.socket]:
    """Make a ticket: the first socket is handed over, the second kept open until the answer is there.

    :param files: descriptors, as many as the wish takes.
    :raises OSError: as sendmsg(2).
    """
    given, kept = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    socket.send_fds(kept, [_WORDS.pack(wish, app.encode("ascii")) + details], files)
    return given, kept


def read(ticket: socket.socket) -> Asked:
    """Take a ticket's words, which it has once.

    :raises TicketError: when it was not made by a person's process in a login session that still lives.
    """
    uid = _maker(ticket)
    try:
        size, most = _WORDS.size + MAX_DETAILS, max(_FILES.values())
        words, files, cut_off = descriptors.receive(ticket, size, most, socket.MSG_DONTWAIT)
    except OSError:
        raise TicketError("says nothing, or has been used") from None
    try:
        wish, app = _WORDS.unpack_from(words)
        details = words[_WORDS.size :]
        asked = Asked(uid, Wish(wish), app.rstrip(b"\0").decode("ascii"), tuple(files), details)
        if cut_off or len(files) != _FILES[asked.wish] or (details and asked.wish not in _WITH_DETAILS):
            raise ValueError
    except (struct.error, ValueError):
        descriptors.close(files)
        raise TicketError("says what nobody can ask for") from None
    return asked


def peek(file: int) -> tuple[int, str]:
    """Return who has made a ticket and which app it names, as far as that can be told, without taking its words."""
    try:
        with descriptors.as_socket(file) as ticket:
            words = ticket.recv(_WORDS.size, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            _, app = _WORDS.unpack(words)
            return descriptors.peer_uid(ticket), app.rstrip(b"\0").decode("ascii", "replace")
    except (OSError, struct.error):
        return -1, ""


def control_group(connection: socket.socket) -> str:
    """Return the control group of the process that made the other end of a Unix socket, or connected to it.

    :raises TicketError: when the process has ended.
    :raises OSError: as getsockopt(2).
    """
    pidfd = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    try:
        return _cgroup(pidfd)
    finally:
        os.close(pidfd)


def _maker(ticket: socket.socket) -> int:
    """The user whose process, in a login session of theirs, made a ticket.

    :raises TicketError: when it is nobody's.
    """
    if (ticket.family, ticket.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
        raise TicketError("is none")
    try:
        uid = descriptors.peer_uid(ticket)
        group = control_group(ticket)
    except OSError as error:
        raise TicketError(f"is none: {error.strerror}") from None
    if not FIRST_UID <= uid <= LAST_UID:
        raise TicketError(f"is of user {uid}, who is nobody's login")
    # An app of the user's has the same uid. It has no login session, and can't get into one (systemd-logind).
    if not re.match(rf"/user\.slice/user-{uid}\.slice/", group):
        raise TicketError(f"was not made in a login session of user {uid}")
    return uid


def _cgroup(pidfd: int) -> str:
    """The control group of the process that a pidfd stands for (cgroups(7)).

    :raises TicketError: when the process has ended.
    """
    try:
        pid = re.search(r"^Pid:\t(\d+)$", Path(f"/proc/self/fdinfo/{pidfd}").read_text(), re.MULTILINE)
        text = Path(f"/proc/{pid[1]}/cgroup").read_text() if pid else ""
        # The number is the process's own as long as that lives: looked at again, it has not been another's meanwhile.
        again = re.search(r"^Pid:\t(\d+)$", Path(f"/proc/self/fdinfo/{pidfd}").read_text(), re.MULTILINE)
    except OSError:
        raise TicketError("is of a process that has ended") from None
    if not pid or not again or again[1] != pid[1]:
        raise TicketError("is of a process that has ended")
    return text.partition("::")[2].strip()
