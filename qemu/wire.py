"""The far side of a machine's network cable: a process in a network namespace of its own, without any way out of it.

Started by qemu/net.py as ``python -m qemu.wire FOLDER`` once the namespace and its interfaces are there. It is the
switch between the machines and the namespace (QEMU's ``-netdev stream`` on one side, a veth on the other), the DHCP
server, the IPv6 router, and the sink: servers that no machine should ever reach, on every address there is. What
arrives at the sink is written to FOLDER/events.jsonl, one JSON object a line.
"""

import array
import asyncio
import fcntl
import functools
import json
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from qemu.dhcp import DhcpServer, advertise
from qemu.names import Names

#: The ends of the namespace's own cable: the stack of the host's kernel is on the first, the switch on the second.
STACK, SWITCH = "tau0", "tau1"
#: Where the sink listens: DNS in clear text, over TLS, multicast DNS, LLMNR; and what else a machine might call.
DNS_PORTS = (53, 853, 5353, 5355)
TCP_PORTS = (22, 25, 80, 853, 5353, 5355, 8080, 9050)
#: The name server behind the DNS-over-HTTPS server (dnsdist), on the loopback of the namespace.
BACKEND_PORT = 5300
_MAX_FRAME = 65535
_ETHTOOL, _NO_CHECKSUM_OFFLOAD = 0x8946, 0x17  # SIOCETHTOOL, ETHTOOL_STXCSUM (linux/ethtool.h)
_IPV6_RECVPKTINFO, _IPV6_PKTINFO, _IPV6_FREEBIND = (
    49,
    50,
    78,
)  # linux/in6.h
_OUTGOING = 4  # PACKET_OUTGOING (linux/if_packet.h)

Record = Callable[..., None]


class Switch:
    """A learning switch: every machine that connects to its socket is a port, the namespace's stack another."""

    def __init__(self, packet: socket.socket) -> None:
        self._packet = packet
        self._ports: dict[bytes, asyncio.StreamWriter | None] = {}
        self._machines: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the frames of one machine until it goes (QEMU puts a length of four bytes before each)."""
        self._machines.add(writer)
        try:
            while True:
                (length,) = struct.unpack("!I", await reader.readexactly(4))
                self._carry(await reader.readexactly(length), writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._machines.discard(writer)
            self._ports = {address: port for address, port in self._ports.items() if port is not writer}
            writer.close()

    def from_stack(self) -> None:
        """Carry what the namespace's stack sent."""
        while True:
            try:
                frame, address = self._packet.recvfrom(_MAX_FRAME)
            except BlockingIOError:
                return
            if address[2] != _OUTGOING:
                self._carry(frame, None)

    def _carry(self, frame: bytes, source: asyncio.StreamWriter | None) -> None:
        if len(frame) < 14:
            return
        self._ports[frame[6:12]] = source
        targets: set[asyncio.StreamWriter | None] = {*self._machines, None}
        if not frame[0] & 1 and frame[:6] in self._ports:
            targets = {self._ports[frame[:6]]}
        for target in targets - {source}:
            if target is None:
                try:
                    self._packet.send(frame)
                except OSError:
                    continue  # a full queue drops a frame, as a real switch does
            elif target.transport.get_write_buffer_size() < 4 << 20:
                target.write(struct.pack("!I", len(frame)) + frame)


class Sink:
    """Takes what a machine should never send, answers it as if all were well, and writes it down."""

    def __init__(self, names: Names, record: Record) -> None:
        self._names = names
        self._record = record

    async def start(self) -> None:
        """Listen on all ports, for IPv4 and IPv6, on every address."""
        loop = asyncio.get_running_loop()
        for port in DNS_PORTS:
            udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
            udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)  # answers from addresses no interface has
            udp.setblocking(False)
            udp.bind(("::", port))
            loop.add_reader(udp, self._datagram, udp, port)
        for port, kind in [(53, "dns"), (BACKEND_PORT, "doh")]:
            serve = functools.partial(self._dns_stream, kind)
            await asyncio.start_server(serve, sock=_listen(port))
        backend = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        backend.setblocking(False)
        backend.bind(("127.0.0.1", BACKEND_PORT))
        loop.add_reader(backend, self._backend, backend)
        for port in TCP_PORTS:
            await asyncio.start_server(self._stream, sock=_listen(port))

    def _datagram(self, udp: socket.socket, port: int) -> None:
        data, control, _, peer = udp.recvmsg(_MAX_FRAME, 256)
        info = next((value for level, kind, value in control if kind == _IPV6_PKTINFO), bytes(20))
        address = _text(socket.inet_ntop(socket.AF_INET6, info[:16]))
        answer, asked = self._names.answer(data)
        self._record("dns", "udp", peer, address, port, data, asked)
        if answer:
            # Answered from the very address that was asked, or the machine would not take it.
            udp.sendmsg([answer], [(socket.IPPROTO_IPV6, _IPV6_PKTINFO, info)], 0, peer)

    def _backend(self, udp: socket.socket) -> None:
        data, peer = udp.recvfrom(_MAX_FRAME)
        answer, asked = self._names.answer(data)
        self._record("doh", "udp", peer, "127.0.0.1", BACKEND_PORT, data, asked)
        udp.sendto(answer, peer)

    async def _dns_stream(self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                data = await reader.readexactly(length)
                answer, asked = self._names.answer(data)
                local = writer.get_extra_info("sockname")
                self._record(kind, "tcp", writer.get_extra_info("peername"), local[0], local[1], data, asked)
                writer.write(struct.pack("!H", len(answer)) + answer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        local = writer.get_extra_info("sockname")
        peer = writer.get_extra_info("peername")
        self._record("tcp", "tcp", peer, local[0], local[1], b"", [])
        try:
            data = await asyncio.wait_for(reader.read(4096), 30)
            self._record("tcp", "tcp", peer, local[0], local[1], data, [])
            if local[1] in (80, 8080):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsink\n")
                await writer.drain()
        except (TimeoutError, OSError):
            pass
        finally:
            writer.close()


def _listen(port: int) -> socket.socket:
    return socket.create_server(("::", port), family=socket.AF_INET6, backlog=100, dualstack_ipv6=True)


def _text(address: str) -> str:
    return address.removeprefix("::ffff:")


def _recorder(path: Path) -> Record:
    stream = path.open("a", buffering=1)

    def record(
        kind: str, transport: str, peer: tuple[str, int], address: str, port: int, data: bytes, asked: list[str]
    ) -> None:
        event = {"time": time.time(), "kind": kind, "transport": transport, "peer": _text(peer[0])}
        event |= {"peer_port": peer[1], "address": _text(address), "port": port, "data": data.hex(), "asked": asked}
        stream.write(json.dumps(event) + "\n")

    return record


def _no_checksum_offload(interface: str) -> None:
    """Have the kernel compute checksums itself: what leaves a veth unfinished would be dropped by the machine."""
    value = array.array("I", [_NO_CHECKSUM_OFFLOAD, 0])
    request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _ETHTOOL, request)


async def main(folder: Path) -> None:
    """Serve until killed; FOLDER/ready appears when everything listens."""
    _no_checksum_offload(STACK)
    # A neighbour that does not call itself a router loses its place as one (RFC 4861, 7.2.5).
    Path(f"/proc/sys/net/ipv6/conf/{STACK}/forwarding").write_text("1")
    packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    packet.bind((SWITCH, 0))
    packet.setblocking(False)
    switch = Switch(packet)
    loop = asyncio.get_running_loop()
    loop.add_reader(packet, switch.from_stack)
    record = _recorder(folder / "events.jsonl")
    dhcp = DhcpServer(STACK, record)
    loop.add_reader(dhcp.socket, dhcp.serve)
    await Sink(Names(folder / "names.json"), record).start()
    await asyncio.start_unix_server(switch.serve, folder / "cable.sock")
    (folder / "ready").write_text("")
    await advertise(STACK)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
