"""Ask the helper: one connection, and with it one process of the helper's, for each question."""

import os
import socket
from typing import NamedTuple

from tau import descriptors
from tau.bus_names import CALL_SECONDS
from tau.limits import MAX_MANIFEST
from tau.permissions import PERMISSIONS
from tau.status import Status
from tau.wire import (
    HELPER_SOCKET,
    Answer,
    Decision,
    ProtocolError,
    Request,
    Verb,
    decided,
    decision,
    receive_answer,
    send_request,
)


class HelperError(Exception):
    """The helper has refused, or can't be asked."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Staged(NamedTuple):
    """A bundle that waits for the user's answer: its number, and its manifest as it is written."""

    number: int
    manifest: bytes


def stage(ticket: int) -> Staged:
    """Have the bundle copied and looked at that a ticket holds.

    :raises HelperError: when it can't be installed.
    """
    answer, files = _ask(Request(Verb.STAGE), [ticket])
    try:
        if len(files) != 1:
            raise HelperError(Status.FAILED, "the helper's answer lacks the manifest")
        return Staged(answer.number, os.pread(files[0], MAX_MANIFEST, 0))
    finally:
        descriptors.close(files)


def commit(number: int) -> None:
    """Have what was staged installed.

    :raises HelperError: when it can't be.
    """
    _ask(Request(Verb.COMMIT, number), [])


def drop(number: int) -> None:
    """Have what was staged forgotten.

    :raises HelperError: when the helper can't be asked.
    """
    _ask(Request(Verb.DROP, number), [])


def remove(ticket: int) -> None:
    """Have the app removed that a ticket names.

    :raises HelperError: when it can't be.
    """
    _ask(Request(Verb.REMOVE), [ticket])


def start(ticket: int, allowed: int = 0, refused: int = 0) -> int:
    """Have the app started that a ticket names; returns the instance's number.

    :param allowed: permissions that its user has granted, as a number; `refused`: those that they have denied.
    :raises HelperError: when it can't be.
    """
    answer, files = _ask(Request(Verb.START, decided(allowed, refused)), [ticket])
    descriptors.close(files)
    return answer.number


def pick(ticket: int) -> None:
    """Have the folder remembered that a ticket says.

    :raises HelperError: when it can't be.
    """
    _ask(Request(Verb.PICK), [ticket])


def log(ticket: int) -> None:
    """Have the journal read that a ticket asks for, into the pipe that it holds.

    :raises HelperError: when it can't be.
    """
    _ask(Request(Verb.LOG), [ticket])


def decide(instance: int, permission: str, what: Decision) -> None:
    """Have a decision hold for an instance, by its number.

    :raises HelperError: when that is not possible.
    """
    _ask(Request(Verb.DECIDE, decision(instance, list(PERMISSIONS).index(permission), what)), [])


def listen() -> socket.socket:
    """Return the socket on which the kernel tells what apps send that nobody has decided on.

    :raises HelperError: when there is none.
    """
    _, files = _ask(Request(Verb.LISTEN), [])
    if len(files) != 1:
        descriptors.close(files)
        raise HelperError(Status.FAILED, "the helper's answer lacks the socket")
    return socket.socket(fileno=files[0])


def _ask(request: Request, files: list[int]) -> tuple[Answer, list[int]]:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(CALL_SECONDS)
            connection.connect(HELPER_SOCKET)
            send_request(connection, request, files)
            answer, received = receive_answer(connection)
    except OSError as error:
        raise HelperError(Status.FAILED, f"the helper can't be asked: {error.strerror or error}") from None
    except ProtocolError as error:
        raise HelperError(Status.FAILED, f"the helper has not answered: {error}") from None
    if answer.status != Status.DONE:
        descriptors.close(received)
        raise HelperError(answer.status, answer.reason)
    return answer, received
