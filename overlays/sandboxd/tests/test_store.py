"""What was granted: kept, or nothing is granted."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tau.daemon import store as module
from tau.daemon.store import Store, StoreError, Token
from tau.decisions import DECISIONS, Decision, Scope
from tau.record import Record

APP = Record(1000, "org.example.app", (1, 0, 0, 0), 3, 0, b"h" * 32, b"s" * 32, ("bin/app",))
TOKEN = Token("app-tau-1000-org.example.app-00000007", "session-1")
ALWAYS, NEVER = Decision(True, Scope.ALWAYS), Decision(False, Scope.ALWAYS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Store:
    return Store(path)


def test_what_is_not_in_it_is_asked(store: Store) -> None:
    store.check()
    assert store.decided(APP, TOKEN) == {}


@pytest.mark.parametrize("word", DECISIONS)
def test_a_decision_holds_for_as_long_as_it_says(store: Store, path: Path, word: str) -> None:
    decision = DECISIONS[word]
    store.decide(APP, "network", decision, TOKEN, "asked")
    store = Store(path)  # sandboxd was ended
    assert store.decided(APP, TOKEN) == {"network": decision}
    other_instance, other_session = TOKEN._replace(instance="other"), TOKEN._replace(session="session-2")
    assert bool(store.decided(APP, other_instance)) == (decision.scope != Scope.ONCE)
    assert bool(store.decided(APP, other_session)) == (decision.scope != Scope.SESSION)
    assert [(each.decision, each.how) for each in store.history(1000, 10)] == [(word, "asked")]


def test_it_is_one_users_of_one_signers_app(store: Store) -> None:
    store.decide(APP, "network", ALWAYS, TOKEN, "set")
    for other in (APP._replace(uid=1001), APP._replace(app="org.example.b"), APP._replace(signer=b"o" * 32)):
        assert store.decided(other, TOKEN) == {}
    # Another bundle of the same signer's is the same app.
    assert store.decided(APP._replace(root_hash=b"n" * 32), TOKEN) == {"network": ALWAYS}


def test_the_narrower_one_comes_first_and_the_later_one_replaces(store: Store) -> None:
    once = Decision(False, Scope.ONCE)
    store.decide(APP, "network", ALWAYS, TOKEN, "set")
    store.decide(APP, "network", once, TOKEN, "asked")
    assert store.decided(APP, TOKEN) == {"network": once}
    assert store.decided(APP, TOKEN._replace(instance="other")) == {"network": ALWAYS}
    store.decide(APP, "network", NEVER, Token("", "session-1"), "set")
    assert store.decided(APP, TOKEN) == {"network": NEVER}
    store.reset(1000, APP.app, ["network"], "set")
    assert store.decided(APP, TOKEN) == {}


def test_a_session_that_is_not_there_has_no_decision(store: Store) -> None:
    for scope, token in ((Scope.SESSION, TOKEN._replace(session="")), (Scope.ONCE, TOKEN._replace(instance=""))):
        with pytest.raises(StoreError):
            store.decide(APP, "network", Decision(True, scope), token, "asked")
    assert store.decided(APP, Token("", "")) == {} == store.decided(APP, TOKEN)


def test_what_is_over_is_forgotten(store: Store, path: Path) -> None:
    for scope in Scope:
        store.decide(APP, ["network", "lan", "camera"][list(Scope).index(scope)], Decision(True, scope), TOKEN, "asked")
    store.tidy({TOKEN.instance}, lambda uid: "session-1")
    assert len(store.decided(APP, TOKEN)) == 3
    store.tidy(set(), lambda uid: "session-2")
    assert sqlite3.connect(path).execute("SELECT count(*) FROM decisions").fetchone() == (1,)
    store.forget(1000, APP.app)
    assert store.decided(APP, TOKEN) == {}


def test_the_history_is_each_users_own_and_does_not_grow_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_HISTORY", 3)
    store.decide(APP._replace(uid=1001), "network", ALWAYS, TOKEN, "set")
    for decision in (ALWAYS, NEVER) * 3:
        store.decide(APP, "network", decision, TOKEN, "set")
    assert [each.decision for each in store.history(1000, 100)] == ["deny-always", "allow-always", "deny-always"]
    assert len(store.history(1001, 100)) == 1 == len(store.history(1000, 1))


def corrupt(path: Path) -> None:
    path.write_bytes(b"x" * 8192)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def later(path: Path) -> None:
    sqlite3.connect(path).execute("PRAGMA user_version = 99")


def other(path: Path) -> None:
    path.unlink()
    sqlite3.connect(path).executescript("CREATE TABLE decisions (a); PRAGMA user_version = 1")


def no_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [corrupt, cut_short, later, other, no_folder])
def test_one_that_can_not_be_read_grants_nothing(store: Store, path: Path, harm: Callable[[Path], None]) -> None:
    store.decide(APP, "network", ALWAYS, TOKEN, "set")
    harm(path)
    fresh = Store(path)
    with pytest.raises(StoreError):
        fresh.decided(APP, TOKEN)
    with pytest.raises(StoreError, match="can't be read, or not be kept"):
        fresh.decide(APP, "lan", ALWAYS, TOKEN, "set")


def test_a_disk_that_is_full(store: Store, path: Path) -> None:
    """It has no page left to write to: nothing is granted, and what was is still there."""
    store.decide(APP, "lan", ALWAYS, TOKEN, "set")
    database = store._open
    assert database
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError):
        for number in range(1000):
            store.decide(APP._replace(app=f"org.example.a{number}"), "network", ALWAYS, TOKEN, "x" * 100)
    assert Store(path).decided(APP, TOKEN) == {"lan": ALWAYS}
    assert Store(path).decided(APP._replace(app=f"org.example.a{999}"), TOKEN) == {}


def test_a_migration_that_is_cut_off_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(path).decide(APP, "network", ALWAYS, TOKEN, "set")
    steps = module._MIGRATIONS
    monkeypatch.setattr(module, "_MIGRATIONS", (*steps, "CREATE TABLE more (a); CREATE TABLE more (b);"))
    with pytest.raises(StoreError):
        Store(path).check()
    monkeypatch.setattr(module, "_MIGRATIONS", (*steps, "CREATE TABLE more (a);"))
    assert Store(path).decided(APP, TOKEN) == {"network": ALWAYS}


def test_what_an_update_does_not_declare_is_forgotten(store: Store) -> None:
    """The version after that may declare it again: it begins as "ask"."""
    for permission in ("network", "lan"):
        store.decide(APP, permission, ALWAYS, TOKEN, "set")
    store.decide(APP._replace(uid=1001), "network", ALWAYS, TOKEN, "set")
    store.keep_declared(1000, {APP.app: ["lan"]})
    assert store.decided(APP, TOKEN) == {"lan": ALWAYS}
    assert store.decided(APP._replace(uid=1001), TOKEN) == {"network": ALWAYS}
