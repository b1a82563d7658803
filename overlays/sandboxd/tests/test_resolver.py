"""Where apps ask for names: each waits for its own user, and none keeps another from being answered."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable

import pytest
from tau import link, running
from tau.daemon import dns
from tau.daemon.resolver import Resolver
from tau.running import Running

ONE = Running(1000, "org.example.app", b"s" * 32, 1, 7, 1)
QUERY = struct.pack("!6H", 0x1234, 0x0100, 1, 0, 0, 0) + b"\3www\7example\0" + struct.pack("!2H", 1, 1)
ANSWER = QUERY[:2] + b"\x81\x80" + QUERY[4:]


class Consent:
    """Says what it is told to, when it is told to."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.asked: list[str] = []

    async def permit(self, instance: Running, permission: str, detail: str) -> bool:
        assert (instance, permission) == (ONE, "network")
        self.asked.append(detail)
        return await asyncio.shield(self.answer)


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What has reached the system's resolver, which answers."""
    reached: list[bytes] = []

    async def answered(message: bytes) -> bytes:
        reached.append(message)
        return ANSWER

    monkeypatch.setattr(Resolver, "_over_udp", staticmethod(answered))
    monkeypatch.setattr(Resolver, "_over_tcp", staticmethod(answered))
    monkeypatch.setattr(link, "of_address", lambda address: 1)
    monkeypatch.setattr(running, "of_link", lambda number: ONE)
    return reached


class Server:
    """A resolver at the loopback, of which every address is an app's."""

    def __init__(self) -> None:
        self.consent = Consent()
        self.tcp, self.udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))

    async def start(self) -> None:
        await Resolver(self.consent).serve([self.tcp, self.udp])  # type: ignore[arg-type]

    async def ask(self, message: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
            client.connect(self.udp.getsockname())
            client.send(message)
            return await asyncio.wait_for(loop.sock_recv(client, 4096), 5)


def told(story: Callable[[Server], object]) -> None:
    async def run() -> None:
        server = Server()
        await server.start()
        try:
            await story(server)  # type: ignore[misc]
        finally:
            server.tcp.close()
            server.udp.close()

    asyncio.run(run())


def test_a_name_waits_for_the_answer(upstream: list[bytes]) -> None:
    async def story(server: Server) -> None:
        waiting = asyncio.ensure_future(server.ask(QUERY))
        await asyncio.sleep(0.2)
        assert server.consent.asked == ["the address of www.example"] and upstream == [] and not waiting.done()
        server.consent.answer.set_result(True)
        assert await waiting == ANSWER and upstream == [QUERY]

    told(story)


def test_a_no_is_a_refusal(upstream: list[bytes]) -> None:
    async def story(server: Server) -> None:
        server.consent.answer.set_result(False)
        said = await server.ask(QUERY)
        assert said == dns.refusal(QUERY, dns.REFUSED) and upstream == []
        assert (await server.ask(QUERY[:-4]))[3] & 0xF == dns.FORMAT_ERROR

    told(story)


def test_of_what_has_no_address_nobody_is_asked(upstream: list[bytes]) -> None:
    """Programs look their own machine up, which no server knows. Name servers are another thing."""
    header, of_addresses, of_servers = QUERY[:12], struct.pack("!2H", 28, 1), struct.pack("!2H", 2, 1)

    async def story(server: Server) -> None:
        answer = await server.ask(header + b"\3tau\0" + of_addresses)
        assert answer[3] & 0x0F == dns.NAME_ERROR and server.consent.asked == [] and upstream == []
        server.consent.answer.set_result(True)
        assert await server.ask(header + b"\3org\0" + of_servers) == ANSWER

    told(story)


def test_over_a_connection(upstream: list[bytes]) -> None:
    async def story(server: Server) -> None:
        server.consent.answer.set_result(True)
        reader, writer = await asyncio.open_connection(*server.tcp.getsockname())
        for _ in range(2):
            writer.write(struct.pack("!H", len(QUERY)) + QUERY)
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            assert await reader.readexactly(length) == ANSWER
        writer.close()

    told(story)


@pytest.mark.parametrize("message", [b"", b"\0" * 12, QUERY])
def test_who_never_stops_asking_keeps_nobody_waiting(upstream: list[bytes], message: bytes) -> None:
    async def story(server: Server) -> None:
        server.consent.answer.set_result(False)
        data = (struct.pack("!H", len(message)) + message) * 100_000
        floods = [await asyncio.open_connection(*server.tcp.getsockname()) for _ in range(8)]
        for _, writer in floods:
            with contextlib.suppress(OSError):
                writer.write(data)
        worst, end = 0.0, time.monotonic() + 1.5
        while time.monotonic() < end:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            worst = max(worst, time.monotonic() - begun)
        assert worst < 2
        assert await server.ask(QUERY)
        for _, writer in floods:
            writer.close()

    told(story)


def test_too_many_connections_are_closed(upstream: list[bytes]) -> None:
    async def story(server: Server) -> None:
        server.consent.answer.set_result(True)
        kept = [await asyncio.open_connection(*server.tcp.getsockname()) for _ in range(9)]
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(kept[-1][0].read(1), 5) == b""
        kept[0][1].write(struct.pack("!H", len(QUERY)) + QUERY)
        assert await asyncio.wait_for(kept[0][0].readexactly(2), 5)
        for _, writer in kept:
            writer.close()

    told(story)
