"""What stays mounted between two starts of an app, and when it does not."""

from pathlib import Path

import pytest
from tau.helper import instance, kept, places
from tau.record import Record

APP = Record(1000, "org.example.app", (1, 0, 0, 0), 0, 0, b"h" * 32, b"s" * 32, ("bin/app",))
HASH = "68" * 32


@pytest.fixture(autouse=True)
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The units that are stopped; the app's data are mounted, and nothing of it runs."""
    found: list[str] = []
    monkeypatch.setattr(places, "MOUNTED", tmp_path)
    places.mounted(APP.uid, APP.app, APP.root_hash).joinpath("data").mkdir(parents=True)
    monkeypatch.setattr(Path, "is_mount", lambda _: True)
    monkeypatch.setattr(instance, "running", list)
    monkeypatch.setattr(kept, "_stop", lambda units, *_: found.extend(units))
    return found


def data() -> int:
    return places.mounted(APP.uid, APP.app, APP.root_hash).joinpath("data").stat().st_ino


def test_the_folder_that_is_mounted_is_the_one_that_is_there(stopped: list[str]) -> None:
    kept.prepare(APP, data())
    assert stopped == []
    # Not the mount itself: something may have begun meanwhile that needs it.
    kept.prepare(APP, data() + 1)
    assert stopped == [f"tau-kept@1000-org.example.app-{HASH}.target"]


def test_what_is_not_mounted_needs_no_other(stopped: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda _: False)
    kept.prepare(APP, 1)
    monkeypatch.setattr(places, "MOUNTED", places.MOUNTED / "not there")
    monkeypatch.setattr(Path, "is_mount", lambda _: True)  # and is taken away meanwhile
    kept.prepare(APP, 1)
    kept.let_go(1000, APP.app, [])
    assert stopped == []


def test_of_other_versions_nothing_is_kept(stopped: list[str]) -> None:
    (places.MOUNTED / "1000" / APP.app / "other").mkdir()
    (places.MOUNTED / "1000" / "org.example.b" / "another").mkdir(parents=True)
    (places.MOUNTED / "1001" / APP.app / "somebody's").mkdir(parents=True)
    kept.prepare(APP, data())
    assert stopped == [f"tau-kept@1000-{APP.app}-other.target"]


def test_a_user_has_so_many_kept(stopped: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_MOST", 2)
    kept.prepare(APP, data())
    assert stopped == []
    (places.MOUNTED / "1000" / "org.example.b" / HASH).mkdir(parents=True)
    kept.prepare(APP, data())
    assert stopped == ["tau-kept@1000-*.target"]


def test_patterns_are_one_apps(stopped: list[str]) -> None:
    kept.end(1000, "org.example.app")
    assert stopped == ["tau-kept@1000-org.example.app-*.target", "tau-app@1000-org.example.app-*.service"]
    kept.let_go(1000, "org.example.app", [HASH])
    assert stopped[2:] == [kept.unit(APP)]
