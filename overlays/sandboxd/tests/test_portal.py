"""Where apps ask: each is who the kernel says, has its own answer, and keeps nobody else from having one."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tau import portal as client
from tau import running, ticket
from tau.daemon import portal
from tau.daemon.portal import Portal
from tau.daemon.store import StoreError
from tau.permissions import mask_of
from tau.running import Running
from tau.wire import Decision as Live

ONE = Running(1000, "org.example.app", b"s" * 32, mask_of(["camera"]), 7)
UNIT = f"/apps.slice/apps-1000.slice/{ONE.name}.service"


class Hold:
    """Has what is granted attached, if it works."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.works = True

    async def hold(self, instance: Running, permission: str) -> Live | None:
        self.held.append(permission)
        return Live.ALLOW if self.works else None


class Consent:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.asked: list[str] = []
        self.hold = Hold()

    async def permit(self, instance: Running, permission: str, detail: str) -> bool:
        assert (instance, detail) == (ONE, "")
        self.asked.append(permission)
        return await asyncio.shield(self.answer)


Story = Callable[[Consent, str], Awaitable[None]]


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    monkeypatch.setattr(running, "INSTANCES", tmp_path)
    (tmp_path / "00000007").write_bytes(ONE.pack())
    monkeypatch.setattr(ticket, "control_group", lambda connection: UNIT)

    async def told(story: Story) -> None:
        path, consent = str(tmp_path / "portal"), Consent()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            listener.listen()
            Portal(consent).serve([listener])  # type: ignore[arg-type]
            await story(consent, path)

    return lambda story: asyncio.run(asyncio.wait_for(told(story), 20))


async def asks(permission: str, path: str) -> bool:
    return await asyncio.to_thread(client.request, permission, path)


@pytest.mark.parametrize("word", [True, False])
def test_an_answer(tell: Callable[[Story], None], word: bool) -> None:
    async def story(consent: Consent, path: str) -> None:
        waiting = asyncio.ensure_future(asks("camera", path))
        while not consent.asked:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        assert not waiting.done() and consent.asked == ["camera"]
        consent.answer.set_result(word)
        assert await waiting is word

    tell(story)


def test_what_is_granted_is_there_when_it_is_answered(tell: Callable[[Story], None]) -> None:
    async def story(consent: Consent, path: str) -> None:
        consent.answer.set_result(True)
        assert await asks("camera", path) and consent.hold.held == ["camera"]
        consent.hold.works = False
        assert not await asks("camera", path)

    tell(story)


def test_what_is_not_declared(tell: Callable[[Story], None]) -> None:
    async def story(consent: Consent, path: str) -> None:
        for permission in ("cameras", "\0", "x" * 500, "camera\n", "network"):
            with pytest.raises(client.UndeclaredError):
                await asks(permission, path)
        assert consent.asked == []

    tell(story)


def test_a_store_that_fails_is_a_no(tell: Callable[[Story], None]) -> None:
    async def story(consent: Consent, path: str) -> None:
        consent.answer.set_exception(StoreError("is full"))
        assert not await asks("camera", path)

    tell(story)


def test_one_that_asks_all_the_time_waits(tell: Callable[[Story], None]) -> None:
    """On as many connections as it likes."""

    async def story(consent: Consent, path: str) -> None:
        consent.answer.set_result(False)
        begun = time.monotonic()
        await asyncio.gather(*(asks("camera", path) for _ in range(3)))
        for _ in range(3):
            await asks("camera", path)
        assert time.monotonic() - begun >= 5 * portal._BETWEEN

    tell(story)


def test_too_many_connections(tell: Callable[[Story], None]) -> None:
    async def story(consent: Consent, path: str) -> None:
        opened = []
        for _ in range(portal._MOST_OF_ONE):
            opened.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            opened[-1].connect(path)
        await asyncio.sleep(0.1)
        with contextlib.suppress(OSError):  # however it is told
            assert not await asks("camera", path)
        assert consent.asked == []
        opened.pop().close()
        await asyncio.sleep(0.1)
        consent.answer.set_result(True)
        assert await asks("camera", path)
        for each in opened:
            each.close()

    tell(story)


@pytest.mark.parametrize(
    "group",
    [
        "/user.slice/user-1000.slice/session-1.scope",
        "/",
        "",
        f"/apps.slice/apps-1001.slice/{ONE.name}.service",
        f"/user.slice/user-1000.slice/user@1000.service/{ONE.name}.service",
        f"{UNIT}/more",
        f"/apps.slice/apps-1000.slice/{ONE.name[:-1]}8.service",
        f"/apps.slice/apps-1000.slice/{ONE.name}.scope",
        "/apps.slice/apps-1000.slice/app-tau-1000-org.example.other-00000007.service",
    ],
)
def test_who_is_no_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str) -> None:
    monkeypatch.setattr(running, "INSTANCES", tmp_path)
    (tmp_path / "00000007").write_bytes(ONE.pack())
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        monkeypatch.setattr(ticket, "control_group", lambda connection: UNIT)
        assert portal.whose(one) == ONE
        monkeypatch.setattr(ticket, "control_group", lambda connection: group)
        assert portal.whose(one) is None


def test_it_is_the_kernel_that_says_who_asks() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        try:
            own = ticket.control_group(one)
        except OSError:
            pytest.skip("this kernel has no SO_PEERPIDFD")
        assert own == Path(f"/proc/{os.getpid()}/cgroup").read_text().partition("::")[2].strip()
        assert portal.whose(one) is None
