"""What root says of an instance that runs, and what it does when a decision comes."""

import grp
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tau import link, running
from tau.folders import FOLDERS
from tau.helper import attachments, instance, instances, places
from tau.helper.decide import decide
from tau.helper.pick import pick
from tau.helper.places import picked
from tau.helper.refusal import RefusedError
from tau.permissions import PERMISSIONS, mask_of
from tau.record import Record
from tau.running import Running
from tau.status import Status
from tau.ticket import Asked, Wish
from tau.wire import Decision

CAMERA, READ, PICKED = mask_of(["camera"]), mask_of(["filesystem:ro"]), mask_of(["filesystem:rw:picked"])
ONE = Running(1000, "org.example.app", b"s" * 32, CAMERA | READ, 7, 0, 0, 0, ("Texte", "", "Mu sik", "", "a/b"))


class World:
    """The helper's folders, and a unit that does what it is told, or fails."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.works = True
        self.reloaded: list[int] = []
        #: What happens while the unit is at work.
        self.meanwhile: Callable[[], object] = lambda: None
        for name, module in (("LINKS", link), ("INSTANCES", running), ("PIPES", places)):
            (path / name).mkdir()
            patch.setattr(module, name, path / name)
        patch.setattr(grp, "getgrnam", lambda name: SimpleNamespace(gr_gid=os.getgid()))
        patch.setattr(subprocess, "run", self._systemctl)
        patch.setattr(attachments, "_LOOK", 0)
        self._waits: list[int] = []
        self.begin(ONE)
        instances.write(ONE)

    @property
    def waits(self) -> int:
        """What waits for the end of the one that began last."""
        return self._waits[-1]

    def end(self) -> None:
        for descriptor in self._waits:
            os.close(descriptor)

    def begin(self, app: Running) -> None:
        """Have an instance's first process begin."""
        instances.pipe(app).unlink(missing_ok=True)
        os.mkfifo(instances.pipe(app))
        # What waits for its end has it open, both ways, as long as it waits.
        self._waits.append(os.open(instances.pipe(app), os.O_RDWR))
        os.write(self.waits, b"began\n")

    def _systemctl(self, command: list[str], **_: object) -> SimpleNamespace:
        assert command[:3] == ["systemctl", "reload", "--"] and command[3].startswith("tau-files@app-tau-1000-")
        now = running.read(7)
        self.reloaded.append(now.wanted if now else 0)
        self.meanwhile()
        return SimpleNamespace(returncode=0 if self.works else 1)

    @property
    def now(self) -> Running:
        found = running.read(7)
        assert found == ONE
        return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path, monkeypatch)
    yield made
    made.end()


def test_it_is_read_as_it_was_written(world: World) -> None:
    found = running.read(7)
    assert found == ONE and found.folders == ONE.folders
    assert list(running.every()) == [ONE]
    # That something else is attached now does not make it another.
    assert ONE._replace(attached=3) == ONE and ONE._replace(number=8) != ONE
    assert running.read(8) is None and running.of_link(0) is None
    running.path(8).write_bytes(ONE.pack())  # another's
    (running.INSTANCES / "00000009.new").write_bytes(b"")
    assert running.read(8) is None and list(running.every()) == [ONE]


@given(st.binary(max_size=400))
def test_whatever_a_file_holds(data: bytes) -> None:
    found = running.unpack(data)
    assert found is None or running.unpack(found.pack()) == found
    assert running.unpack(ONE.pack() + data) in (None, ONE)


@pytest.mark.parametrize("path", ["..", "/etc", ".ssh", "a/.b", "a//b", "a/", "a\n"])
def test_a_folder_that_can_be_none(path: str) -> None:
    assert running.unpack(ONE._replace(folders=(path, *[""] * (len(FOLDERS) - 1))).pack()) is None


def test_without_a_link_there_is_no_network(world: World) -> None:
    instances.write(ONE._replace(permissions=mask_of(["network"])))
    with pytest.raises(RefusedError) as caught:
        decide(7, "network", Decision.ALLOW)
    assert caught.value.status == Status.NOT_THERE


def test_a_link_that_is_anothers_by_now(world: World) -> None:
    instances.write(ONE._replace(link=0x102))
    (link.LINKS / "1.2").symlink_to(link.target(7))
    (link.LINKS / "1.3").symlink_to(link.target(7))
    assert running.of_link(0x102) == ONE._replace(link=0x102)
    assert running.of_link(0x103) is None and running.of_link(0x104) is None


def test_a_decision_is_written_down_and_done(world: World) -> None:
    decide(7, "camera", Decision.ALLOW)
    decide(7, "filesystem:ro", Decision.ALLOW)
    for decision in (Decision.REFUSE, Decision.ASK):
        decide(7, "camera", decision)
        assert (world.now.wanted, world.now.attached) == (READ, READ)
    assert world.reloaded == [CAMERA, CAMERA | READ, READ, READ]
    assert running.holds(ONE, "camera", allowed=False) and not running.holds(ONE, "camera", allowed=True)
    assert running.holds(ONE, "filesystem:ro", allowed=True) and not running.holds(ONE, "filesystem:ro", allowed=False)
    assert not running.holds(ONE, "network", allowed=True) and not running.holds(ONE, "network", allowed=False)


@pytest.mark.parametrize("decision", [Decision.ALLOW, Decision.REFUSE])
def test_what_can_not_be_done_is_tried_again(world: World, decision: Decision) -> None:
    before = 0 if decision == Decision.ALLOW else CAMERA
    instances.write(ONE._replace(wanted=before, attached=before))
    world.works = False
    with pytest.raises(RefusedError) as caught:
        decide(7, "camera", decision)
    assert caught.value.status == Status.FAILED and world.now.attached == before
    assert not any(running.holds(ONE, "camera", allowed=allowed) for allowed in (True, False))
    world.works = True
    decide(7, "filesystem:ro", Decision.ALLOW)
    assert running.holds(ONE, "camera", allowed=decision == Decision.ALLOW)


def test_what_comes_meanwhile_is_not_taken_for_done(world: World) -> None:
    """The unit may have read before it was written."""
    world.meanwhile = lambda: instances.write(world.now._replace(wanted=READ))
    decide(7, "camera", Decision.ALLOW)
    assert (world.now.wanted, world.now.attached) == (READ, 0)


def test_a_start_that_is_under_way_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its unit can't be told anything then, and has read the file, or not."""
    looked: list[float] = []

    def sleep(seconds: float) -> None:
        looked.append(seconds)
        assert world.reloaded == []
        if len(looked) == 3:
            os.write(world.waits, b"began\n")

    assert os.read(world.waits, 64) == b"began\n"
    monkeypatch.setattr(time, "sleep", sleep)
    decide(7, "camera", Decision.ALLOW)
    assert len(looked) == 3 and world.reloaded == [CAMERA]


def test_one_that_ends_does_not_come_back(world: World) -> None:
    instances.pipe(ONE).unlink()
    with pytest.raises(RefusedError) as caught:
        decide(7, "camera", Decision.ALLOW)
    assert caught.value.status == Status.NOT_THERE and not running.path(7).exists()
    with pytest.raises(RefusedError):
        decide(7, "camera", Decision.ALLOW)
    world.begin(ONE)
    instances.write(ONE)
    world.meanwhile = lambda: instances.forget(ONE)
    with pytest.raises(RefusedError) as caught:
        decide(7, "camera", Decision.REFUSE)
    assert caught.value.status == Status.NOT_THERE and list(running.INSTANCES.iterdir()) == []


def test_what_nobody_can_have(world: World) -> None:
    for permission in PERMISSIONS:
        if permission not in ("camera", "filesystem:ro"):
            with pytest.raises(RefusedError) as caught:
                decide(7, permission, Decision.ALLOW)
            assert caught.value.status == Status.BAD_REQUEST
            decide(7, permission, Decision.REFUSE)
    for decision in Decision:
        with pytest.raises(RefusedError) as caught:
            decide(8, "camera", decision)
        assert caught.value.status == Status.NOT_THERE
    assert world.reloaded == [] and world.now.wanted == 0


def test_one_that_runs_and_is_not_written_down_is_no_success(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    running.path(7).unlink()
    monkeypatch.setattr(instance, "running", lambda: [(1000, "org.example.app", 7)])
    with pytest.raises(RefusedError) as caught:
        decide(7, "camera", Decision.REFUSE)
    assert caught.value.status == Status.FAILED


def picks(path: str, app: str = "org.example.app") -> Status | None:
    try:
        pick(Asked(1000, Wish.PICK, app, (), path.encode()), os.getgid())
    except RefusedError as error:
        return error.status
    return None


def test_a_folder_is_picked(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "APPS", tmp_path / "apps")
    app = Record(1000, "org.example.app", (1, 0, 0, 0), PICKED, 0, b"h" * 32, b"s" * 32, ("bin/app",))
    folder = places.app_folder(1000, app.app)
    (tmp_path / "apps").mkdir()
    assert picks("Work") == Status.NOT_THERE
    (folder / "h").mkdir(parents=True)
    (folder / "current").symlink_to("h")
    (folder / "h/record").write_bytes(app.pack())
    for path in ("", ".", ".ssh", "../x", "/etc", "a/.b", "a//b", "a\n", "bin", "bin/x"):
        assert picks(path) == Status.NO_TICKET
    assert picks("Work/a b") is None and picked(1000, app.app) == "Work/a b"
    assert picked(1001, app.app) == picked(1000, "org.example.other") == ""
    # What runs of it has the new one, each that can; who has nothing of it is left alone.
    instances.write(ONE._replace(permissions=PICKED, wanted=PICKED))
    ended = ONE._replace(number=6, permissions=PICKED, wanted=PICKED)
    world.begin(ended)
    instances.write(ended)
    instances.pipe(ended).unlink()
    assert picks("Work") is None and world.reloaded == [PICKED]
    world.works = False
    assert picks("Work") == Status.FAILED
    (folder / "h/record").write_bytes(app._replace(permissions=CAMERA).pack())
    assert picks("Work") == Status.BAD_REQUEST
