"""The helper: requests of a connection of sandboxd's are answered one after another until it closes."""

import grp
import os
import pwd
import socket
import sys

from tau import descriptors, listening, ticket
from tau.helper import nflog, server
from tau.helper.decide import decide
from tau.helper.install import commit, remove
from tau.helper.log import Reading, read
from tau.helper.pick import pick
from tau.helper.refusal import RefusedError
from tau.helper.run import Started, start
from tau.helper.stage import drop, stage
from tau.permissions import PERMISSIONS
from tau.status import Status
from tau.wire import Answer, ProtocolError, Request, Verb, both, decision_of, receive_request, send_answer

#: What a user's ticket asks for.
_BY_TICKET = (Verb.STAGE, Verb.REMOVE, Verb.START, Verb.PICK, Verb.LOG)


def main() -> int:
    """Serve what connects to the socket that systemd hands over."""
    os.umask(0o027)
    sockets = listening.given()
    if len(sockets) != 1:
        print("started by systemd, with one socket (tau-helper.socket), or not at all", file=sys.stderr)
        return 1
    server.run(sockets[0], _connection)
    return 0


def _connection(connection: socket.socket) -> int:
    uid = descriptors.peer_uid(connection)
    if uid != pwd.getpwnam("sandboxd").pw_uid:
        print(f"user {uid} is not sandboxd", file=sys.stderr)
        return 1
    group = grp.getgrnam("sandboxd").gr_gid
    while True:
        try:
            received = receive_request(connection)
        except ProtocolError as error:
            print(f"not a request: {error}", file=sys.stderr)
            return 1
        if received is None:
            return 0
        request, files = received
        answers: list[int] = []
        asked: ticket.Asked | None = None
        started: Started | Reading | None = None
        try:
            if request.verb in _BY_TICKET and len(files) == 1:
                asked = _asked(files[0])
                files += asked.files
            if request.verb == Verb.START and asked:
                started = start(asked, *both(request.number))
                answer = Answer(Status.DONE, started.number)
            elif request.verb == Verb.LOG and asked:
                started = read(asked)
                answer = Answer(Status.DONE)
            else:
                answer = _serve(request, asked, files, group, answers)
        except RefusedError as refusal:
            answer = Answer(refusal.status, reason=refusal.reason)
        except ticket.TicketError as error:
            answer = Answer(Status.NO_TICKET, reason=str(error))
        except OSError as error:
            print(f"{request.verb.name}: {error}", file=sys.stderr)
            answer = Answer(Status.FAILED, reason=error.strerror or "failed")
        try:
            send_answer(connection, answer, answers)
            if started and asked:
                started.become(asked, files[0])
        except BrokenPipeError:
            return 0  # sandboxd has gone: nobody takes the answer
        finally:
            if started:
                started.forget()
            descriptors.close([*files, *answers])


def _serve(request: Request, asked: ticket.Asked | None, files: list[int], group: int, answers: list[int]) -> Answer:
    if asked and request.verb == Verb.REMOVE:
        remove(asked, group)
        return Answer(Status.DONE)
    if asked and request.verb == Verb.PICK:
        pick(asked, group)
        return Answer(Status.DONE)
    if asked:
        number, manifest = stage(asked, group)
        content = os.memfd_create("manifest")
        answers.append(content)
        os.write(content, manifest)
        os.lseek(content, 0, os.SEEK_SET)
        return Answer(Status.DONE, number)
    if files:
        return Answer(Status.BAD_REQUEST, reason="wrong number of files")
    if request.verb == Verb.COMMIT:
        try:
            commit(request.number, group)
        finally:
            drop(request.number)
    elif request.verb == Verb.DROP:
        drop(request.number)
    elif request.verb == Verb.DECIDE:
        return _decide(request.number)
    elif request.verb == Verb.LISTEN:
        answers.append(nflog.listen().detach())
    else:
        return Answer(Status.BAD_REQUEST, reason="its ticket is missing")
    return Answer(Status.DONE)


def _decide(number: int) -> Answer:
    try:
        instance, permission, decision = decision_of(number)
        name = list(PERMISSIONS)[permission]
    except (ValueError, IndexError):
        return Answer(Status.BAD_REQUEST, reason="there is no such decision")
    decide(instance, name, decision)
    return Answer(Status.DONE)


def _asked(descriptor: int) -> ticket.Asked:
    try:
        connection = descriptors.as_socket(descriptor)
    except OSError:
        raise ticket.TicketError("is not a socket") from None
    with connection:
        return ticket.read(connection)


if __name__ == "__main__":
    sys.exit(main())
