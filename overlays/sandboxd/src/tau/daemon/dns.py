"""Just enough of the Domain Name System to know which name an app asks for, and to say no (RFC 1035)."""

import re
import struct
from typing import NamedTuple

_HEADER = struct.Struct("!6H")
_ANSWER, _OPCODE, _RECURSION = 0x8000, 0x7800, 0x0100
FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, REFUSED = 1, 2, 3, 5
#: Kinds of records that are addresses (RFC 1035, RFC 3596).
_ADDRESSES = (1, 28)
#: Longest message over TCP, and what of one over UDP a server takes.
MOST_BYTES = 0xFFFF
_PLAIN = re.compile(rb"[A-Za-z0-9_-]+")


class DnsError(Exception):
    """The message is no question."""


class Question(NamedTuple):
    """A question for one name.

    :param name: as people write it, safe to show.
    :param end: where the question ends in the message.
    :param kind: of the records that are asked for (QTYPE).
    """

    name: str
    end: int
    kind: int

    @property
    def has_no_address(self) -> bool:
        """Whether it is for the address of a name without a dot, like this machine's own: DNS has none (RFC 7085)."""
        return self.kind in _ADDRESSES and "." not in self.name


def question(message: bytes) -> Question:
    """Return what a message asks for.

    :raises DnsError: when it is not one question for one name.
    """
    try:
        _, flags, count, *_ = _HEADER.unpack_from(message)
    except struct.error:
        raise DnsError("is too short") from None
    if flags & (_ANSWER | _OPCODE) or count != 1:
        raise DnsError("is not one question")
    labels, at, length = [], _HEADER.size, 0
    while True:
        if at >= len(message) or message[at] > 63:  # a pointer has no place in a question
            raise DnsError("holds no name")
        size = message[at]
        label = message[at + 1 : at + 1 + size]
        at, length = at + 1 + size, length + 1 + size
        if len(label) != size or length > 255:
            raise DnsError("holds no name")
        if not size:
            break
        labels.append(_shown(label))
    if at + 4 > len(message):
        raise DnsError("ends within its question")
    return Question(".".join(labels) or ".", at + 4, int.from_bytes(message[at : at + 2]))


def refusal(message: bytes, code: int) -> bytes:
    """Return the answer that says no to a message, with its question when it has one."""
    if len(message) < _HEADER.size:
        return b""
    number, flags, *_ = _HEADER.unpack_from(message)
    try:
        end = question(message).end
    except DnsError:
        end = 0
    header = _HEADER.pack(number, _ANSWER | flags & (_OPCODE | _RECURSION) | 0x80 | code, 1 if end else 0, 0, 0, 0)
    return header + message[_HEADER.size : end]


def answers(message: bytes, asked: bytes) -> bool:
    """Whether a message answers another."""
    return len(message) >= _HEADER.size and message[:2] == asked[:2] and bool(message[2] & 0x80)


def _shown(label: bytes) -> str:
    """A label as RFC 4343 writes it: what is not a letter, digit, hyphen or underscore as its number."""
    if _PLAIN.fullmatch(label):
        return label.decode("ascii")
    return "".join(chr(each) if _PLAIN.fullmatch(bytes([each])) else f"\\{each:03}" for each in label)
