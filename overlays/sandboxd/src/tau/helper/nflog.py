"""Have the kernel tell what an app sends that nobody has decided on yet (nfnetlink_log; linux/netfilter/*.h).

To ask for it needs root's power over the network; to be told needs the socket alone, which sandboxd is given.
"""

import socket
import struct

#: As network.nft names it.
GROUP = 7465
_NETLINK_NETFILTER = 12
_CONFIG = 4 << 8 | 1  # NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG
_REQUEST, _ACK, _ERROR = 1, 4, 2
_COMMAND, _MODE, _TIMEOUT, _THRESHOLD = 1, 2, 4, 5  # NFULA_CFG_*
_BIND, _COPY_PACKET = 1, 2
#: Bytes of a packet: the headers of the Internet protocol and of what it carries.
_COPIED = 64


def listen() -> socket.socket:
    """Return a socket on which such packets come.

    :raises OSError: when another has it, or as socket(2).
    """
    connection = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    try:
        connection.bind((0, 0))
        for kind, value in (
            (_COMMAND, struct.pack("!B", _BIND)),
            (_MODE, struct.pack("!IBx", _COPIED, _COPY_PACKET)),
            # One is told at once: who waits, waits for an answer.
            (_THRESHOLD, struct.pack("!I", 1)),
            (_TIMEOUT, struct.pack("!I", 1)),
        ):
            connection.send(_message(kind, value))
            _check(connection.recv(4096))
    except BaseException:
        connection.close()
        raise
    return connection


def _message(kind: int, value: bytes) -> bytes:
    attribute = struct.pack("=HH", 4 + len(value), kind) + value
    attribute += bytes(-len(attribute) % 4)
    body = struct.pack("!BBH", socket.AF_UNSPEC, 0, GROUP) + attribute
    return struct.pack("=IHHII", 16 + len(body), _CONFIG, _REQUEST | _ACK, 0, 0) + body


def _check(answer: bytes) -> None:
    _, kind, _, _, _, code = struct.unpack_from("=IHHIIi", answer)
    if kind != _ERROR or code:
        raise OSError(-code, "the kernel does not tell what apps send")
