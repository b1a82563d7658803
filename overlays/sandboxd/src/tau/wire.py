"""What sandboxd and its helper say to each other: fixed fields, so that a part that is root has nothing to parse.

One datagram for a request, one for the answer, over a SEQPACKET socket (unix(7)); files travel as descriptors.
"""

import socket
import struct
from enum import IntEnum
from typing import NamedTuple

from tau import descriptors
from tau.status import Status

#: Where the helper listens.
HELPER_SOCKET = "/run/tau/helper"
_REQUEST = struct.Struct("!B7xQ")
_ANSWER = struct.Struct("!B7xQ240s")
MAX_FILES = 4


class Verb(IntEnum):
    """What can be asked of the helper."""

    #: Copy a bundle and look at it. Files: the user's ticket, which holds it. Answer: a number, the manifest as a file.
    STAGE = 1
    #: Install what was staged under a number.
    COMMIT = 2
    #: Forget what was staged under a number.
    DROP = 3
    #: Remove an app. Files: the user's ticket, which says which.
    REMOVE = 4
    #: Start an app. Files: the user's ticket, which says which, and how. Number: :func:`decided`. Answer: the
    #: instance's number.
    START = 5
    #: Decide what an instance that runs may do. Number: :func:`decision`.
    DECIDE = 6
    #: Hear what apps send that nobody has decided on. Answer: the socket on which it comes.
    LISTEN = 7
    #: Remember the folder that a user has picked for an app. Files: the user's ticket, which says which.
    PICK = 8
    #: Have the journal read for a user. Files: the user's ticket, which says what, and holds the pipe that it goes to.
    LOG = 9


class Decision(IntEnum):
    """What an instance may do with a permission."""

    ASK = 0
    ALLOW = 1
    REFUSE = 2


class Request(NamedTuple):
    """A request: `number` is of what was staged, or as the verb says."""

    verb: Verb
    number: int = 0


class Answer(NamedTuple):
    """An answer. `reason` is a line for a person, at most 240 bytes, and may quote what a bundle says of itself."""

    status: Status
    number: int = 0
    reason: str = ""


def decided(allowed: int, refused: int) -> int:
    """Return two sets of permissions as one number; :func:`both` takes it apart."""
    return allowed << 32 | refused


def both(number: int) -> tuple[int, int]:
    """Return the permissions that are allowed, and those that are refused."""
    return number >> 32, number & 0xFFFFFFFF


def decision(instance: int, permission: int, what: Decision) -> int:
    """Return a decision as one number; :func:`decision_of` takes it apart.

    :param instance: its number.
    :param permission: the index in the table of permissions.
    """
    return instance << 16 | permission << 8 | what


def decision_of(number: int) -> tuple[int, int, Decision]:
    """Return instance, permission and decision.

    :raises ValueError: when there is no such decision.
    """
    if number >> 48:
        raise ValueError("there is no such instance")
    return number >> 16, number >> 8 & 0xFF, Decision(number & 0xFF)


class ProtocolError(Exception):
    """What was received is no message of this protocol."""


def send_request(connection: socket.socket, request: Request, files: list[int]) -> None:
    """Send a request with files."""
    socket.send_fds(connection, [_REQUEST.pack(request.verb, request.number)], files)


def receive_request(connection: socket.socket) -> tuple[Request, list[int]] | None:
    """Return the next request and its files, which the caller closes; None when the other side has gone.

    :raises ProtocolError: for anything else. The files that came with it are closed.
    """
    try:
        data, files = _receive(connection, _REQUEST.size)
    except ConnectionResetError:  # it has gone without having read the last answer
        return None
    if not data:
        return None
    try:
        verb, number = _REQUEST.unpack(data)
        return Request(Verb(verb), number), files
    except (struct.error, ValueError) as error:
        descriptors.close(files)
        raise ProtocolError(str(error)) from None


def send_answer(connection: socket.socket, answer: Answer, files: list[int]) -> None:
    """Send an answer with files."""
    reason = answer.reason.encode(errors="replace")[:240]
    socket.send_fds(connection, [_ANSWER.pack(answer.status, answer.number, reason)], files)


def receive_answer(connection: socket.socket) -> tuple[Answer, list[int]]:
    """Return the answer and its files, which the caller closes.

    :raises ProtocolError: when it is none, or the other side has gone.
    """
    data, files = _receive(connection, _ANSWER.size)
    try:
        status, number, reason = _ANSWER.unpack(data)
        return Answer(Status(status), number, reason.rstrip(b"\0").decode(errors="replace")), files
    except (struct.error, ValueError) as error:
        descriptors.close(files)
        raise ProtocolError(str(error)) from None


def _receive(connection: socket.socket, size: int) -> tuple[bytes, list[int]]:
    data, files, cut_off = descriptors.receive(connection, size, MAX_FILES)
    if cut_off:
        descriptors.close(files)
        raise ProtocolError("is longer than a message can be")
    return data, files
