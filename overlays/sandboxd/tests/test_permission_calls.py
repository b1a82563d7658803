"""What users say of permissions on the bus: kept, held, and an error when it can't be."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tau.daemon import installed, instances
from tau.daemon.agents import Agents
from tau.daemon.consent import Consent
from tau.daemon.helper import HelperError
from tau.daemon.hold import Hold
from tau.daemon.permission_calls import PermissionCalls
from tau.daemon.store import Store
from tau.daemon.store_thread import StoreThread
from tau.permissions import mask_of
from tau.record import Record
from tau.running import Running
from tau.status import Status
from tau.wire import Decision as Live

OLD, NEW = mask_of(["network"]), mask_of(["network", "lan"])
APP = Record(1000, "org.example.app", (2, 0, 0, 0), NEW, 0, b"h" * 32, b"s" * 32, ("bin/app",))


class World:
    """sandboxd with one app, of which instances run."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.app, self.running, self.works = APP, [Running(1000, APP.app, APP.signer, NEW, 7, 1)], True
        self.applied: list[tuple[int, str, Live]] = []
        patch.setattr(installed, "app_of", lambda uid, app: self.app if (uid, app) == (1000, APP.app) else None)
        patch.setattr(installed, "apps_of", lambda uid: [self.app] if uid == 1000 else [])
        patch.setattr(instances, "of_app", lambda uid, app: self.running)
        patch.setattr(instances, "session", lambda uid: "session-1")
        kept = StoreThread(Store(path / "store.sqlite"))
        self.calls = PermissionCalls(kept, Consent(kept, Agents(), Hold(kept, self._apply)), Agents())

    async def _apply(self, instance: Running, permission: str, live: Live) -> bool:
        self.applied.append((instance.link, permission, live))
        return self.works

    async def said(self) -> dict[str, str]:
        _, (rows,) = await self.calls.permissions(1000)
        return {permission: word for _, permission, word, _ in rows}


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    """Run a story in a world of its own."""
    return lambda story: asyncio.run(_told(story, World(tmp_path, monkeypatch)))


async def _told(story: Callable[[World], Awaitable[None]], world: World) -> None:
    await story(world)


async def refused(call: Awaitable[object], status: Status) -> None:
    with pytest.raises(HelperError) as caught:
        await call
    assert caught.value.status == status


Tell = Callable[[Callable[[World], Awaitable[None]]], None]


def test_what_is_said_is_kept_and_held(tell: Tell) -> None:
    async def story(world: World) -> None:
        assert await world.said() == {"network": "ask", "lan": "ask"}
        await world.calls.decide(1000, APP.app, "network", "allow-always")
        await world.calls.decide(1000, APP.app, "lan", "deny-session")
        assert await world.said() == {"network": "allow-always", "lan": "deny-session"}
        await world.calls.reset(1000, APP.app, "network")
        assert world.applied == [(1, "network", Live.ALLOW), (1, "lan", Live.REFUSE), (1, "network", Live.ASK)]
        await world.calls.reset(1000, APP.app, "")
        assert await world.said() == {"network": "ask", "lan": "ask"}

    tell(story)


@pytest.mark.parametrize(
    ("app", "permission", "word", "status"),
    [
        ("org.example.b", "network", "allow-always", Status.NOT_THERE),
        ("../b", "network", "allow-always", Status.NOT_THERE),
        (APP.app, "camera", "allow-always", Status.BAD_REQUEST),
        (APP.app, "x", "allow-always", Status.BAD_REQUEST),
        (APP.app, "network", "allow-once", Status.BAD_REQUEST),
        (APP.app, "network", "yes", Status.BAD_REQUEST),
    ],
)
def test_what_nobody_can_say(tell: Tell, app: str, permission: str, word: str, status: Status) -> None:
    async def story(world: World) -> None:
        await refused(world.calls.decide(1000, app, permission, word), status)
        await refused(world.calls.decide(1001, APP.app, "network", "allow-always"), Status.NOT_THERE)
        assert world.applied == [] and await world.said() == {"network": "ask", "lan": "ask"}

    tell(story)


@pytest.mark.parametrize("word", ["allow-always", "deny-always"])
def test_what_is_not_held_is_an_error(tell: Tell, word: str) -> None:
    async def story(world: World) -> None:
        world.works = False
        await refused(world.calls.decide(1000, APP.app, "network", word), Status.FAILED)
        await refused(world.calls.reset(1000, APP.app, "network"), Status.FAILED)

    tell(story)


def test_an_older_version_that_runs(tell: Tell) -> None:
    """It may what it declares, as long as it is allowed; it can be said of it, whatever the newer one declares."""

    async def story(world: World) -> None:
        world.running = [Running(1000, APP.app, APP.signer, OLD, 7, 1)]
        await world.calls.decide(1000, APP.app, "lan", "allow-always")
        assert world.applied == []
        await world.calls.decide(1000, APP.app, "network", "allow-always")
        world.app = APP._replace(permissions=mask_of(["lan"]))
        await world.calls.installed(1000)
        assert world.applied == [(1, "network", Live.ALLOW), (1, "network", Live.ASK)]
        await world.calls.decide(1000, APP.app, "network", "deny-always")
        assert world.applied[-1] == (1, "network", Live.REFUSE)
        # The next one that declares it begins with nothing.
        world.app, world.running = APP, []
        await world.calls.installed(1000)
        world.app = APP._replace(permissions=mask_of(["lan"]))
        await world.calls.installed(1000)
        world.app = APP
        assert await world.said() == {"network": "ask", "lan": "allow-always"}

    tell(story)


def test_what_may_stay_open_is_told(tell: Tell) -> None:
    """Of what was attached, and is not any more; never of a connection, which ends."""

    async def story(world: World) -> None:
        both = mask_of(["network", "camera"])
        world.app = APP._replace(permissions=both)
        begun = Running(1000, APP.app, APP.signer, both, 7, 1)
        for attached, permission, word, told in (
            (both, "camera", "deny-always", True),
            (0, "camera", "deny-always", False),
            (both, "camera", "allow-always", False),
            (both, "network", "deny-always", False),
        ):
            world.running = [begun, begun._replace(number=8, attached=attached)]
            assert await world.calls.decide(1000, APP.app, permission, word) == ("b", [told])
        assert await world.calls.reset(1000, APP.app, "") == ("b", [True])
        assert await world.calls.reset(1000, APP.app, "network") == ("b", [False])

    tell(story)
