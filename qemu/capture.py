"""What a machine sent: every frame of its network card from power-on, in words, and questions to ask about it.

QEMU's filter-dump writes each frame with one writev(2) (net/dump.c), so that a frame is in the file before the far side
has it; a frame that is half written is read the next time. The files are begun anew at each power-on: the machine keeps
those of earlier boots beside them, and a capture reads all. A restored snapshot rewinds the machine, not the files.

Which way a frame went is told by QEMU, with a second file of what was sent, and not by the frame: its source address is
the machine's to choose, and a random one must not hide what it sends.
"""

import ipaddress
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import dpkt

from qemu.commandline import Files

#: Ports of DNS in clear text, over TLS (a resolver nobody chose), multicast DNS and LLMNR.
CLEAR_TEXT_DNS = frozenset({53, 853, 5353, 5355})
_MAGIC = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}
_HEADER, _FRAME = 24, 16
_ICMPV6 = {
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
    143: "MLD report",
}


@dataclass(frozen=True)
class Packet:
    """One frame.

    :param number: its place since the first power-on, from 0.
    :param time: seconds since the epoch, by the host's clock.
    :param sent: whether the machine sent it; else it was sent to the machine.
    """

    number: int
    time: float
    sent: bool
    data: bytes

    @cached_property
    def _ethernet(self) -> dpkt.ethernet.Ethernet:
        try:
            return dpkt.ethernet.Ethernet(self.data)
        except (dpkt.UnpackError, struct.error, IndexError):
            return None

    @cached_property
    def _ip(self) -> dpkt.ip.IP | dpkt.ip6.IP6 | None:
        inside = self._ethernet.data if self._ethernet is not None else None
        return inside if isinstance(inside, dpkt.ip.IP | dpkt.ip6.IP6) else None

    @property
    def readable(self) -> bool:
        """Whether it could be taken apart. One that could not be is never innocent."""
        return self._ethernet is not None and not isinstance(self._ethernet.data, bytes)

    @property
    def protocol(self) -> str:
        """``arp``, ``udp``, ``tcp``, ``icmp``, ``icmp6``, ``igmp``, or a number in words."""
        if self._ethernet is None:
            return "broken"
        if isinstance(self._ethernet.data, dpkt.arp.ARP):
            return "arp"
        if self._ip is None:
            return f"ethertype 0x{self._ethernet.type:04x}"
        number = self._ip.p
        names = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp6"}
        return names.get(number, f"ip protocol {number}")

    @property
    def source(self) -> str:
        """IP address it came from; empty without IP."""
        return _address(self._ip.src) if self._ip is not None else ""

    @property
    def destination(self) -> str:
        """IP address it went to; empty without IP."""
        return _address(self._ip.dst) if self._ip is not None else ""

    @property
    def port(self) -> int:
        """Destination port of TCP and UDP, else 0. Of a fragment without a header it is unknown, and 0."""
        return int(getattr(self._transport, "dport", 0))

    @property
    def source_port(self) -> int:
        """Source port of TCP and UDP, else 0."""
        return int(getattr(self._transport, "sport", 0))

    @property
    def payload(self) -> bytes:
        """What TCP or UDP carries."""
        carried = getattr(self._transport, "data", b"")
        return bytes(carried)

    @property
    def _transport(self) -> dpkt.Packet | None:
        inside = self._ip.data if self._ip is not None else None
        return inside if isinstance(inside, dpkt.tcp.TCP | dpkt.udp.UDP) else None

    def __str__(self) -> str:
        way = "sent" if self.sent else "got"
        head = f"#{self.number} {self.time:.3f} {way} {self.protocol}"
        if isinstance(getattr(self._ethernet, "data", None), dpkt.arp.ARP):
            return f"{head} who has {socket.inet_ntoa(self._ethernet.data.tpa)}"
        if self._ip is None:
            return f"{head} {self.data[:14].hex()} {len(self.data)} bytes"
        if self._transport is None:
            kind = getattr(self._ip.data, "type", None)
            detail = _ICMPV6.get(int(kind or 0), f"type {kind}") if self.protocol == "icmp6" else f"type {kind}"
            return f"{head} {self.source} -> {self.destination} {detail if kind is not None else ''}".rstrip()
        ends = f"{_joined(self.source, self.source_port)} -> {_joined(self.destination, self.port)}"
        return f"{head} {ends} {self._detail()}".rstrip()

    def _detail(self) -> str:
        if {self.port, self.source_port} & CLEAR_TEXT_DNS:
            payload = self.payload[2:] if self.protocol == "tcp" else self.payload
            try:
                return "DNS " + ", ".join(query.name for query in dpkt.dns.DNS(payload).qd)
            except (dpkt.UnpackError, struct.error, IndexError, UnicodeDecodeError):
                pass
        if isinstance(self._transport, dpkt.tcp.TCP):
            letters = [(dpkt.tcp.TH_SYN, "S"), (dpkt.tcp.TH_ACK, "A"), (dpkt.tcp.TH_FIN, "F"), (dpkt.tcp.TH_RST, "R")]
            flags = "".join(letter for bit, letter in letters if self._transport.flags & bit)
            return f"[{flags}] {len(self.payload)} bytes"
        return f"{len(self.payload)} bytes"


@dataclass(frozen=True)
class Allowed:
    """What a machine may send, by what it is; every part that is given must fit.

    :param to: address or network it may go to, or several.
    """

    what: str
    protocol: str = ""
    to: tuple[str, ...] = ()
    port: int | None = None

    def fits(self, packet: Packet) -> bool:
        """Whether `packet` is of this kind."""
        if self.protocol and packet.protocol != self.protocol:
            return False
        if self.port is not None and packet.port != self.port:
            return False
        if not self.to:
            return True
        if not packet.destination:
            return False
        address = ipaddress.ip_address(packet.destination)
        return any(address in ipaddress.ip_network(network) for network in self.to)


#: What every machine on a network has to send: ARP, neighbour discovery and multicast membership, DHCP.
HOUSEKEEPING = (
    Allowed("ARP", "arp"),
    Allowed("IPv6 neighbour discovery and multicast membership", "icmp6", ("fe80::/10", "ff02::/16", "fc00::/7")),
    Allowed("DHCP", "udp", ("255.255.255.255/32", "10.0.2.2/32"), 67),
    Allowed("multicast membership", "igmp", ("224.0.0.0/24",)),
)


class Capture:
    """The frames of one machine from its first power-on."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def packets(self, since: int = 0) -> list[Packet]:
        """Return every frame after a mark that has been written so far, in both directions."""
        packets: list[Packet] = []
        for path, sent_path in self._files.boots():
            if not (path.exists() and sent_path.exists()):
                continue
            found = frames(path.read_bytes())
            sent = [data for _, data in frames(sent_path.read_bytes())]  # read last: it has all that the other has
            position = 0
            for time, data in found:
                sent_it = position < len(sent) and data == sent[position]
                position += sent_it
                packets.append(Packet(len(packets), time, sent_it, data))
        return packets[since:]

    def mark(self) -> int:
        """Return the present position, for `since`."""
        packets = self.packets()
        return packets[-1].number + 1 if packets else 0

    def sent(self, since: int = 0) -> list[Packet]:
        """Return what the machine sent."""
        return [packet for packet in self.packets(since) if packet.sent]

    def clear_text_dns(self, since: int = 0) -> list[Packet]:
        """Return what the machine sent to any port of DNS that is not DNS over HTTPS, over TCP or UDP, IPv4 or IPv6."""
        return [packet for packet in self.sent(since) if packet.port in CLEAR_TEXT_DNS or packet_is_hidden_dns(packet)]

    def destinations(self, since: int = 0) -> set[tuple[str, str, int]]:
        """Return (protocol, address, port) of all that the machine sent; port 0 where there is none."""
        return {(packet.protocol, packet.destination, packet.port) for packet in self.sent(since)}

    def unexpected(
        self, allowed: Iterable[Allowed | Callable[[Packet], bool]] = HOUSEKEEPING, since: int = 0
    ) -> list[Packet]:
        """Return what the machine sent that is of no allowed kind. A frame that can't be read is of none.

        :param allowed: kinds, or functions that say whether a packet is innocent.
        """
        tests = [each.fits if isinstance(each, Allowed) else each for each in allowed]
        return [packet for packet in self.sent(since) if not packet.readable or not any(test(packet) for test in tests)]


def packet_is_hidden_dns(packet: Packet) -> bool:
    """Whether a datagram to some other port is a DNS query after all: the question of an odd resolver."""
    if packet.protocol != "udp" or len(packet.payload) < 17:
        return False
    _, flags, questions, answers, authorities, _ = struct.unpack("!6H", packet.payload[:12])
    if flags & 0xFE8F or questions != 1 or answers or authorities:  # a standard query with one question
        return False
    try:
        (question,) = dpkt.dns.DNS(packet.payload).qd
    except (dpkt.UnpackError, struct.error, IndexError, UnicodeDecodeError, ValueError):
        return False
    return question.cls in (1, 255) and 0 < question.type < 260


def frames(data: bytes) -> list[tuple[float, bytes]]:
    """Return (time, frame) of each complete frame of a pcap file, which may still be growing."""
    order = _MAGIC.get(data[:4])
    if order is None or len(data) < _HEADER:
        return []
    found = []
    position = _HEADER
    while position + _FRAME <= len(data):
        seconds, microseconds, length, _ = struct.unpack_from(f"{order}4I", data, position)
        position += _FRAME
        if position + length > len(data):
            break
        found.append((seconds + microseconds / 1e6, data[position : position + length]))
        position += length
    return found


def _address(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
