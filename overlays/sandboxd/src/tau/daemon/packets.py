"""What apps send that nobody has decided on, as the kernel tells it (nfnetlink_log): who, and where to."""

import ipaddress
import socket
import struct
from typing import NamedTuple

from tau import link
from tau.permissions import PERMISSIONS

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_PACKET = 4 << 8  # NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET
_MARK, _PAYLOAD = 2, 9  # NFULA_*
_TRANSPORTS = {socket.IPPROTO_TCP: "TCP", socket.IPPROTO_UDP: "UDP"}
#: Longest message: what network.nft has copied, and what is said of it.
MOST_BYTES = 8192


class Attempt(NamedTuple):
    """A packet: the link that it came from, the permission that it needs, and where it goes, for a person."""

    link: int
    permission: str
    detail: str


def attempts(data: bytes) -> list[Attempt]:
    """Return what a datagram of the kernel's tells; what is of another kind is left out."""
    found = []
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        if length < _HEADER.size:
            break
        if kind == _PACKET:
            each = _attempt(_attributes(data[_HEADER.size + 4 : length]))
            found += [each] if each else []
        data = data[(length + 3) & ~3 :]
    return found


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = data[_ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]
    return found


def _attempt(attributes: dict[int, bytes]) -> Attempt | None:
    packet, zone = attributes.get(_PAYLOAD, b""), int.from_bytes(attributes.get(_MARK, b""))
    permission = next((name for name, each in PERMISSIONS.items() if each.zone and each.zone == zone), None)
    if len(packet) < 20 or packet[0] >> 4 != 4 or permission is None:
        return None
    number = link.of_address(str(ipaddress.IPv4Address(packet[12:16])))
    if number is None:
        return None
    detail, transport = str(ipaddress.IPv4Address(packet[16:20])), _TRANSPORTS.get(packet[9])
    ports = packet[(packet[0] & 0xF) * 4 :][:4]
    if transport and len(ports) == 4:
        detail += f", port {int.from_bytes(ports[2:])} ({transport})"
    return Attempt(number, permission, detail)
