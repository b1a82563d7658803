"""Links and what is said of them in the firewall: of this instance and no other, whoever had the number before."""

from pathlib import Path

import pytest
from tau import link, running
from tau.helper import instances, links, places
from tau.helper.decide import decide
from tau.helper.refusal import RefusedError
from tau.permissions import mask_of
from tau.record import Record
from tau.running import Running
from tau.status import Status
from tau.wire import Decision

APP = Record(1000, "org.example.app", (1, 0, 0, 0), mask_of(["network"]), 0, b"h" * 32, b"s" * 32, ("bin/app",))
BOTH = APP._replace(permissions=mask_of(["network", "lan"]))
NETWORK, LAN = mask_of(["network"]), mask_of(["lan"])


class World:
    """The folders of the helper, and a firewall that remembers what it was told."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        self.cut: list[tuple[int, str]] = []
        self.had = False
        self.devices = path / "net"
        for folder in (self.devices, path / "pipes", path / "instances", path / "links"):
            folder.mkdir()
        patch.setattr(link, "LINKS", path / "links")
        patch.setattr(running, "INSTANCES", path / "instances")
        patch.setattr(places, "PIPES", path / "pipes")
        patch.setattr(instances, "write", lambda app: running.path(app.number).write_bytes(app.pack()))
        patch.setattr(links, "_DEVICES", self.devices)
        patch.setattr(links, "_nft", self.told.extend)
        patch.setattr(links, "_allowed", lambda *_: self.had)
        patch.setattr(links, "_cut", lambda *what: self.cut.append(what))

    def start(self, app: Record = APP, number: int = 7, allowed: int = 0, refused: int = 0) -> int:
        begins = Running(app.uid, app.app, app.signer, app.permissions, number)
        return links.allocate(begins, allowed, refused).link

    def said(self) -> list[str]:
        """What it was told, without what makes room for it."""
        found = [line.removeprefix("add element inet tau_apps decided ") for line in self.told if line[:3] == "add"]
        self.told.clear()
        return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_what_is_not_declared_is_refused_whatever_is_said(world: World) -> None:
    everything = 2**32 - 1
    assert world.start(allowed=everything) == 1
    assert world.said() == ["{ tau-0.1 . 1 : goto allowed }", "{ tau-0.1 . 2 : goto refused }"]
    assert world.start(BOTH, 8, allowed=LAN, refused=NETWORK) == 2
    assert world.said() == ["{ tau-0.2 . 1 : goto refused }", "{ tau-0.2 . 2 : goto allowed }"]
    assert world.start(BOTH, 9, allowed=NETWORK, refused=everything) == 3
    assert world.said() == ["{ tau-0.3 . 1 : goto refused }", "{ tau-0.3 . 2 : goto refused }"]
    assert world.start(BOTH, 10) == 4 and world.said() == []
    assert running.of_link(2) == Running(1000, APP.app, APP.signer, BOTH.permissions, 8, 2)


def test_a_number_is_free_when_instance_and_device_have_gone(world: World) -> None:
    world.start()
    (world.devices / "tau-0.1").touch()
    running.path(7).unlink()
    assert world.start(number=8) == 2  # it ends just now
    (world.devices / "tau-0.1").unlink()
    assert world.start(number=9) == 1
    # What has a device is taken, though nothing says any more whose it is.
    (world.devices / "tau-0.3").touch()
    assert world.start(number=10) == 4
    # What was said of the one before is taken back.
    assert "destroy element inet tau_apps decided { tau-0.1 . 1 }" in world.told


def test_a_decision_is_about_one_instance(world: World) -> None:
    world.start(BOTH)
    world.told.clear()
    decide(7, "network", Decision.ALLOW)
    assert world.said() == ["{ tau-0.1 . 1 : goto allowed }"]
    # One that there is not, and one whose link is another's by now.
    running.path(9).write_bytes(Running(1000, APP.app, APP.signer, BOTH.permissions, 9, 1).pack())
    for number in (8, 9, 0):
        for decision in Decision:
            with pytest.raises(RefusedError) as caught:
                decide(number, "network", decision)
            assert caught.value.status == Status.NOT_THERE
    assert world.told == []


def test_what_is_taken_back_ends(world: World) -> None:
    world.start(BOTH)
    for decision in (Decision.REFUSE, Decision.ASK, Decision.ALLOW):
        decide(7, "lan", decision)
    assert world.cut == []  # there was nothing to end
    world.had = True
    for decision in (Decision.REFUSE, Decision.ASK, Decision.ALLOW):
        decide(7, "lan", decision)
    assert world.cut == [(1, "lan"), (1, "lan")]


def test_what_nobody_can_have(world: World) -> None:
    world.start()
    world.told.clear()
    for permission in ("lan", "camera", "filesystem:rw:home"):
        with pytest.raises(RefusedError) as caught:
            decide(7, permission, Decision.ALLOW)
        assert caught.value.status == Status.BAD_REQUEST
    assert world.told == []
    decide(7, "lan", Decision.REFUSE)


def test_too_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "LAST", 2)
    world.start()
    world.start(number=8)
    with pytest.raises(RefusedError, match="all are taken"):
        world.start(number=9)
