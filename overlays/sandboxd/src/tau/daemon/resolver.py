"""Where apps ask for names: a question waits until its user has said that the app may use the Internet.

Then it goes to the system's resolver as it is, and the answer comes back as it is. Nothing leaves before.
"""

import asyncio
import collections
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

from tau import link, running
from tau.daemon import dns
from tau.daemon.consent import Consent
from tau.daemon.store import StoreError

#: The system's resolver (overlay doh).
_UPSTREAM = ("127.0.0.1", 53)
#: What a name is asked for with.
_PERMISSION = "network"
#: Seconds that the resolver may take: after a pause it finds its connections dead and makes others, and who has got no
#: answer asks some times more (resolv.conf(5), attempts). Seconds that a connection may be idle.
_SECONDS, _IDLE = 10, 20
#: Most questions that a connection may ask in a second; of datagrams the firewall lets no more pass (network.nft).
_MOST_A_SECOND = 100
#: Most questions of one link that wait, and most of its connections.
_MOST_OF_ONE, _MOST_CONNECTIONS = 64, 8
_LENGTH = struct.Struct("!H")
Upstream = Callable[[bytes], Awaitable[bytes]]


class Resolver:
    """Answers on the sockets that systemd has bound (tau-names.socket)."""

    def __init__(self, consent: Consent) -> None:
        self._consent = consent
        self._waiting: dict[int, int] = {}
        self._connected: collections.Counter[str] = collections.Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Answer on each of them from now on."""
        loop = asyncio.get_running_loop()
        for each in sockets:
            each.setblocking(False)
            if each.type == socket.SOCK_DGRAM:
                loop.add_reader(each, self._datagram, each)
            else:
                await asyncio.start_server(self._stream, sock=each)

    def _datagram(self, udp: socket.socket) -> None:
        with contextlib.suppress(OSError):
            message, peer = udp.recvfrom(dns.MOST_BYTES)
            task = asyncio.ensure_future(self._answer_datagram(udp, message, peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer_datagram(self, udp: socket.socket, message: bytes, peer: tuple[str, int]) -> None:
        answer = await self._answer(message, peer[0], self._over_udp)
        with contextlib.suppress(OSError):
            if answer:
                udp.sendto(answer, peer)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername")[0]
        try:
            if self._connected[address] < _MOST_CONNECTIONS:
                self._connected[address] += 1
                try:
                    await self._converse(reader, writer, address)
                finally:
                    self._connected[address] -= 1
                    self._connected += collections.Counter()  # those that are zero are not kept
        finally:
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            while True:
                async with asyncio.timeout(_IDLE):
                    message = await _read(reader)
                answer = await self._answer(message, address, self._over_tcp)
                if not answer:
                    return
                async with asyncio.timeout(_IDLE):
                    writer.write(_LENGTH.pack(len(answer)) + answer)
                    await writer.drain()
                # What has been read ahead is answered without waiting: others have their turn, and each its share.
                await asyncio.sleep(1 / _MOST_A_SECOND)

    async def _answer(self, message: bytes, address: str, upstream: Upstream) -> bytes:
        number = link.of_address(address)
        whose = running.of_link(number) if number is not None else None
        if number is None or whose is None:
            return dns.refusal(message, dns.REFUSED)
        try:
            question = dns.question(message)
        except dns.DnsError:
            return dns.refusal(message, dns.FORMAT_ERROR)
        if question.has_no_address:  # nobody has to be asked: it goes nowhere
            return dns.refusal(message, dns.NAME_ERROR)
        if self._waiting.get(number, 0) >= _MOST_OF_ONE:
            return dns.refusal(message, dns.REFUSED)
        self._waiting[number] = self._waiting.get(number, 0) + 1
        try:
            if not await self._consent.permit(whose, _PERMISSION, f"the address of {question.name}"):
                return dns.refusal(message, dns.REFUSED)
            async with asyncio.timeout(_SECONDS):
                answer = await upstream(message)
            return answer if dns.answers(answer, message) else dns.refusal(message, dns.SERVER_FAILURE)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, StoreError):
            return dns.refusal(message, dns.SERVER_FAILURE)
        finally:
            self._waiting[number] -= 1
            if not self._waiting[number]:
                del self._waiting[number]

    @staticmethod
    async def _over_udp(message: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as udp:
            udp.connect(_UPSTREAM)
            await loop.sock_sendall(udp, message)
            return await loop.sock_recv(udp, dns.MOST_BYTES)

    @staticmethod
    async def _over_tcp(message: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*_UPSTREAM)
        try:
            writer.write(_LENGTH.pack(len(message)) + message)
            return await _read(reader)
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """The next message of a connection (RFC 1035, 4.2.2)."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)
