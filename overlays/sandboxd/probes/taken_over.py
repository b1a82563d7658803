"""Be sandboxd, taken over: with its user's rights, and what users hand to it. One word says what it does.

``decide NUMBER``: have the helper decide everything of an instance that a message can say. ``garbage``: say what is no
request. ``listen``: use the socket that the helper gives for more than to listen. ``serve``: take sandboxd's name, and
use each ticket for what the name of the method says, one verb after the other.
"""

import asyncio
import json
import os
import socket
import sys
from collections import Counter

sys.path.insert(0, "/usr/lib/tau/python")

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from tau import wire
from tau.bus_names import NAME, PATH
from tau.daemon import helper
from tau.helper import nflog
from tau.permissions import PERMISSIONS
from tau.wire import Request, Verb

EVERYTHING = wire.decided(0xFFFFFFFF, 0)


def status(request: Request, files: list[int]) -> str:
    """What the helper says to a request."""
    try:
        answer, received = helper._ask(request, files)
    except helper.HelperError as error:
        return error.status.name
    for each in received:
        os.close(each)
    return f"DONE {answer.number}" if request.verb == Verb.START else "DONE"


def decide(number: int) -> None:
    """Each permission and some that there are not, and each decision; of it, and of instances that there are not."""
    said: dict[str, Counter[str]] = {"of it": Counter(), "of none": Counter()}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(wire.HELPER_SOCKET)

        def tell(instance: int, permission: int, what: int) -> str:
            request = Request(Verb.DECIDE, instance << 16 | permission << 8 | what)
            wire.send_request(connection, request, [])
            return wire.receive_answer(connection)[0].status.name

        for permission in (*range(len(PERMISSIONS) + 3), 31, 32, 255):
            for what in (3, 255, 2, 0, 1):
                said["of it"][f"{what} {tell(number, permission, what)}"] += 1
        for other in (0, number ^ 1, 0xFFFFFFFF, number | 1 << 32):
            for permission in range(len(PERMISSIONS)):
                said["of none"][tell(other, permission, 1)] += 1
    print(json.dumps(said))


def garbage() -> None:
    """Datagrams of other lengths, verbs that there are not, and more files than a message can have."""
    null = os.open("/dev/null", os.O_RDONLY)
    whole = wire._REQUEST.pack(Verb.DROP, 1)
    messages: list[tuple[bytes, list[int]]] = [
        (whole[:1], []),
        (whole[:-1], []),
        (whole + b"\0", []),
        (b"x" * 60000, []),
    ]
    messages += [(bytes([verb]) + whole[1:], []) for verb in (0, max(Verb) + 1, 255)]
    messages += [(whole, [null] * 5), (whole, [null] * 253), (whole[:3], [null])]
    for data, files in messages:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(60)
            connection.connect(wire.HELPER_SOCKET)
            socket.send_fds(connection, [data], files)
            print("hung up" if not connection.recv(1000) else "answered", flush=True)
    # Padding, and numbers where a verb takes none, say nothing.
    for verb in (Verb.STAGE, Verb.REMOVE, Verb.START, Verb.PICK):
        print(status(Request(verb, 2**64 - 1), [null]), flush=True)
    print(status(Request(Verb.LISTEN), [null]), status(Request(Verb.COMMIT), [null, null]), flush=True)


def listen() -> None:
    """Ask of the firewall's part of the kernel what root alone may, on the helper's socket and on one of our own."""
    own = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, nflog._NETLINK_NETFILTER)
    own.bind((0, 0))
    given = helper.listen() if os.getuid() else nflog.listen()
    for connection in (given, own):
        # Bind to a group, and tell how much is copied of each packet.
        connection.send(nflog._message(nflog._MODE, b"\0\0\0\x40\2\0"))
        try:
            nflog._check(connection.recv(4096))
            print("done")
        except OSError as error:
            print(os.strerror(error.errno or 0))


async def serve() -> None:
    """Do with tickets what their users have not asked for."""
    bus = await MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True).connect()
    kept: list[int] = []
    answers: list[object] = []

    def handle(message: Message) -> bool:
        if message.message_type != MessageType.METHOD_CALL or message.path != PATH:
            return False
        files = list(message.unix_fds)
        said = []
        for word in message.member.split("_"):
            if word == "KEEP":
                kept.append(os.dup(files[0]))
            elif word == "KEPT":
                files = kept
            elif word == "TWICE":
                files = files[:1] * 2
            else:
                number = EVERYTHING if word == "START" else 0
                said.append(status(Request(Verb[word], number), files))
                files = files[:1]
        for each in set(files):
            os.close(each)
        answer = bus.send(Message.new_method_return(message, "s", [", ".join(said)]))
        answers.append(asyncio.ensure_future(answer))
        return True

    bus.add_message_handler(handle)
    await bus.request_name(NAME)
    print("serves", flush=True)
    await bus.wait_for_disconnect()


match sys.argv[1]:
    case "decide":
        decide(int(sys.argv[2], 16))
    case "garbage":
        garbage()
    case "listen":
        listen()
    case _:
        asyncio.run(serve())
