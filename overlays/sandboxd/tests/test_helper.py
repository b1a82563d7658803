"""The helper's installing and removing: all or nothing, whenever it is cut off."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tau.helper import app_profile, install, instance, kept, places, stage
from tau.helper.refusal import RefusedError
from tau.record import Record, read
from tau.status import Status
from tau.ticket import Asked, Wish

from overlays.sandboxd.author.tools import SOURCE

APP = Record(1000, "org.example.app", (1, 0, 0, 0), 1, 0, b"h" * 32, b"s" * 32, ("bin/app",))
GROUP = os.getgid()


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("STAGED", "APPS"):
        monkeypatch.setattr(places, name, tmp_path / name.lower())
        (tmp_path / name.lower()).mkdir()
    # apparmor_parser and PID 1 are the image's: that they do what they are asked for is seen there.
    monkeypatch.setattr(app_profile, "_parser", lambda *_: True)
    monkeypatch.setattr(kept, "_stop", lambda *_: None)
    return tmp_path


def staged(number: int, record: Record) -> int:
    places.staged(number, "raw").write_bytes(b"bundle")
    places.staged(number, "roothash").write_text(record.root_hash.hex())
    places.staged(number, "record").write_bytes(record.pack())
    return number


def current() -> Record:
    return read(places.app_folder(1000, APP.app) / "current" / "record")


def refusal(number: int) -> Status:
    with pytest.raises(RefusedError) as caught:
        install.commit(number, GROUP)
    return caught.value.status


def test_an_app_and_its_update() -> None:
    install.commit(staged(1, APP), GROUP)
    assert current() == APP
    newer = APP._replace(version=(1, 1, 0, 0), root_hash=b"n" * 32)
    install.commit(staged(2, newer), GROUP)
    assert current() == newer
    folder = places.app_folder(1000, APP.app)
    assert {path.name for path in folder.iterdir()} == {"current", newer.root_hash.hex()}
    assert {path.name for path in (folder / "current").iterdir()} == {
        "bundle.raw",
        "bundle.roothash",
        "profile",
        "record",
    }
    assert (folder / "current" / "bundle.roothash").read_text() == newer.root_hash.hex()


def test_what_may_not_take_its_place() -> None:
    install.commit(staged(1, APP), GROUP)
    assert refusal(staged(2, APP._replace(signer=b"o" * 32, root_hash=b"n" * 32))) == Status.OTHER_SIGNER
    assert refusal(staged(3, APP._replace(version=(0, 9, 9, 9), root_hash=b"n" * 32))) == Status.OLDER
    assert refusal(staged(4, APP)) == Status.SAME
    assert refusal(5) == Status.NOT_THERE
    assert current() == APP


def test_apps_are_each_users_own() -> None:
    install.commit(staged(1, APP), GROUP)
    other = APP._replace(uid=1001, signer=b"o" * 32)
    install.commit(staged(2, other), GROUP)
    install.remove(Asked(1001, Wish.REMOVE, APP.app, ()), GROUP)
    assert current() == APP


@pytest.mark.parametrize("left", ["folder", "unfinished", "unfinished link"])
def test_an_installation_that_was_cut_off_is_done_again(left: str) -> None:
    folder = places.app_folder(1000, APP.app)
    folder.mkdir(parents=True)
    name = APP.root_hash.hex()
    if left == "unfinished link":
        (folder / ".current").symlink_to("nothing")
    else:
        (folder / (name if left == "folder" else f".{name}")).mkdir()
        (folder / (name if left == "folder" else f".{name}") / "bundle.raw").write_text("half")
    install.commit(staged(1, APP), GROUP)
    assert current() == APP
    assert {path.name for path in folder.iterdir()} == {"current", name}


class CutError(Exception):
    """The power goes."""


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_cut_at_any_step_leaves_the_old_or_the_new(cut: int) -> None:
    """Each step that counts is a rename; the power goes before the one of this number."""
    install.commit(staged(1, APP), GROUP)
    newer = APP._replace(version=(2, 0, 0, 0), root_hash=b"n" * 32)
    staged(2, newer)
    left = cut

    def counted(original: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def step(path: Path, target: Path) -> Path:
            nonlocal left
            left -= 1
            if left == 0:
                raise CutError
            return original(path, target)

        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", counted(Path.rename))
        patch.setattr(Path, "replace", counted(Path.replace))
        if cut <= 5:
            with pytest.raises(CutError):
                install.commit(2, GROUP)
        else:
            install.commit(2, GROUP)
    assert current() == (APP if cut <= 5 else newer)
    folder = places.app_folder(1000, APP.app)
    assert (folder / "current" / "bundle.raw").read_bytes() == b"bundle"
    if cut <= 5:
        install.commit(staged(3, newer), GROUP)
    assert {path.name for path in folder.iterdir()} == {"current", newer.root_hash.hex()}


def test_removal() -> None:
    install.commit(staged(1, APP), GROUP)
    wrong = (Asked(1000, Wish.REMOVE, "../etc", ()), Asked(1000, Wish.INSTALL, APP.app, (0,)))
    for asked in wrong:
        with pytest.raises(RefusedError):
            install.remove(asked, GROUP)
    assert current() == APP
    install.remove(Asked(1000, Wish.REMOVE, APP.app, ()), GROUP)
    assert not places.app_folder(1000, APP.app).exists()
    with pytest.raises(RefusedError, match="is not installed"):
        install.remove(Asked(1000, Wish.REMOVE, APP.app, ()), GROUP)


def test_what_is_staged_is_forgotten() -> None:
    staged(1, APP)
    staged(2, APP)
    stage.drop(1)
    assert {path.name[:16] for path in places.STAGED.iterdir()} == {"0000000000000002"}


def test_a_bundle_that_is_no_file(store: Path) -> None:
    folder = os.open(store, os.O_RDONLY)
    with pytest.raises(RefusedError, match="is not a file"):
        stage.stage(Asked(1000, Wish.INSTALL, "", (folder,)), GROUP)
    os.close(folder)
    with pytest.raises(RefusedError, match="does not ask for an installation"):
        stage.stage(Asked(1000, Wish.REMOVE, APP.app, ()), GROUP)
    assert list(places.STAGED.iterdir()) == []


def test_a_disk_that_is_full(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = store / "bundle"
    bundle.write_bytes(bytes(1000))
    real = os.statvfs(store)
    monkeypatch.setattr(stage, "_RESERVE", real.f_bavail * real.f_frsize)
    descriptor = os.open(bundle, os.O_RDONLY)
    with pytest.raises(RefusedError) as caught:
        stage.stage(Asked(1000, Wish.INSTALL, "", (descriptor,)), GROUP)
    os.close(descriptor)
    assert caught.value.status == Status.NO_SPACE
    assert list(places.STAGED.iterdir()) == []


def test_what_is_root_loads_no_parser() -> None:
    """Not by accident either: whatever the helper imports is the privileged part."""
    listed = "import sys, tau.helper.__main__; print(*(name for name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", listed], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True
    )
    loaded = done.stdout.split()
    assert "tau.helper.stage" in loaded, done.stderr
    assert not {"json", "tau.manifest", "tau.strict_json", "tau.signature", "tau.gpt"} & set(loaded)


def test_what_runs_of_an_app_ends_before_it_is_removed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install.commit(staged(1, APP), GROUP)
    stopped: list[str] = []
    monkeypatch.setattr(
        instance, "running", lambda: [(1000, APP.app, 1), (1000, "org.example.b", 2), (1001, APP.app, 3)]
    )
    monkeypatch.setattr(kept, "_stop", stopped.extend)
    install.remove(Asked(1000, Wish.REMOVE, APP.app, ()), GROUP)
    every = [f"tau-kept@1000-{APP.app}-*.target", f"tau-app@1000-{APP.app}-*.service"]
    # And once more when nothing can start any more.
    assert stopped == [instance.unit(1000, APP.app, 1), *every] * 2


def test_what_an_update_replaces_is_kept_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs of it goes on."""
    install.commit(staged(1, APP), GROUP)
    stopped: list[str] = []
    monkeypatch.setattr(kept, "_stop", lambda units, *_: stopped.extend(units))
    install.commit(staged(2, APP._replace(version=(2, 0, 0, 0), root_hash=b"n" * 32)), GROUP)
    assert stopped == [kept.unit(APP)]
