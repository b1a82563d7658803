"""What users have granted and denied, and when: an SQLite database of sandboxd's own.

What is not in it is asked. A decision holds for an app of one signer alone, so that another's of the same id begins
with nothing. The changes that a decision consists of are one transaction, and on the disk before anything is granted.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from tau.decisions import Decision, Scope

#: The steps from one form of the database to the next; their number is PRAGMA user_version.
_MIGRATIONS = (
    """
    CREATE TABLE decisions (
        uid INTEGER NOT NULL, app TEXT NOT NULL, permission TEXT NOT NULL, scope TEXT NOT NULL, token TEXT NOT NULL,
        signer BLOB NOT NULL, allowed INTEGER NOT NULL,
        PRIMARY KEY (uid, app, permission, scope, token)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE history (
        number INTEGER PRIMARY KEY, time INTEGER NOT NULL, uid INTEGER NOT NULL, app TEXT NOT NULL,
        permission TEXT NOT NULL, decision TEXT NOT NULL, how TEXT NOT NULL
    ) STRICT;
    CREATE INDEX history_of_user ON history (uid, number);
    """,
)
_PRUNE = """
    DELETE FROM history WHERE uid = ?1
    AND number NOT IN (SELECT number FROM history WHERE uid = ?1 ORDER BY number DESC LIMIT ?2)
"""
#: Most lines of a user's history that are kept.
MOST_HISTORY = 1000


class StoreError(Exception):
    """What was granted can't be read, or not be kept; the message follows "what was granted"."""


class App(Protocol):
    """Whose decisions: an app of a user's, by its signer."""

    @property
    def uid(self) -> int:
        """The user's number."""

    @property
    def app(self) -> str:
        """The id."""

    @property
    def signer(self) -> bytes:
        """SHA-256 of the certificate."""


class Token(NamedTuple):
    """What decisions of an instance are bound to that end before the app does.

    :param instance: its name; a decision with the scope ``once`` is bound to it.
    :param session: of the user's service manager, which ends with their last session; ``session`` is bound to it.
    """

    instance: str
    session: str

    def of(self, scope: Scope) -> str:
        """Return what a decision of a scope is bound to; nothing for one that holds always."""
        return {Scope.ONCE: self.instance, Scope.SESSION: self.session, Scope.ALWAYS: ""}[scope]


class Past(NamedTuple):
    """A line of the history: `time` in seconds since the epoch, `decision` as a word, or ``reset``."""

    time: int
    app: str
    permission: str
    decision: str
    how: str


class Store:
    """The database, which is opened when it is needed, and anew after an error. All of it in one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: sqlite3.Connection | None = None

    def check(self) -> None:
        """See that what was granted can be read, and that more can be kept.

        :raises StoreError: when not.
        """
        with self._connection() as database:
            # Writes a page, and so finds out that the disk is full.
            database.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def decided(self, app: App, token: Token) -> dict[str, Decision]:
        """Return what holds for an instance of an app, by permission; the narrower decision comes before the wider.

        :raises StoreError: when it can't be read.
        """
        found = {}
        with self._connection() as database:
            question = "SELECT permission, scope, token, allowed FROM decisions WHERE (uid, app, signer) = (?, ?, ?)"
            rows = database.execute(question, (app.uid, app.app, app.signer)).fetchall()
        for scope in (Scope.ALWAYS, Scope.SESSION, Scope.ONCE):
            for permission, kind, bound, allowed in rows:
                if (kind, bound) == (scope, token.of(scope)) and (bound or scope == Scope.ALWAYS):
                    found[permission] = Decision(bool(allowed), scope)
        return found

    def decide(self, app: App, permission: str, decision: Decision, token: Token, how: str) -> None:
        """Keep a decision; one that is not of an instance alone takes the place of all others of the permission.

        :param how: it came about, for the history.
        :raises StoreError: when it can't be kept; nothing has changed then.
        """
        bound = token.of(decision.scope)
        if not bound and decision.scope != Scope.ALWAYS:
            raise StoreError("can't be kept: there is no session that it would be for")
        with self._connection() as database:
            if decision.scope != Scope.ONCE:
                self._delete(database, app.uid, app.app, [permission])
            row = (app.uid, app.app, permission, decision.scope, bound, app.signer, decision.allowed)
            database.execute("INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            self._note(database, app.uid, app.app, permission, decision.word, how)

    def reset(self, uid: int, app: str, permissions: Iterable[str], how: str) -> None:
        """Forget what was decided of permissions: they are asked again.

        :raises StoreError: when it can't be forgotten; nothing has changed then.
        """
        permissions = list(permissions)
        with self._connection() as database:
            self._delete(database, uid, app, permissions)
            for permission in permissions:
                self._note(database, uid, app, permission, "reset", how)

    def forget(self, uid: int, app: str) -> None:
        """Forget what was decided of an app; the history stays.

        :raises StoreError: when it can't be forgotten.
        """
        with self._connection() as database:
            database.execute("DELETE FROM decisions WHERE (uid, app) = (?, ?)", (uid, app))

    def keep_declared(self, uid: int, apps: Mapping[str, Iterable[str]]) -> None:
        """Forget a user's decisions of permissions that their apps don't declare any more.

        :param apps: what each of their apps declares.
        :raises StoreError: when they can't be forgotten.
        """
        with self._connection() as database:
            question = "SELECT DISTINCT app, permission FROM decisions WHERE uid = ?"
            for app, permission in database.execute(question, (uid,)).fetchall():
                if permission not in apps.get(app, ()):
                    self._delete(database, uid, app, [permission])

    def tidy(self, instances: set[str], session: Callable[[int], str]) -> None:
        """Forget decisions of instances and sessions that are over.

        :param instances: the names of those that run.
        :param session: returns what a user's present session is called.
        :raises StoreError: when they can't be forgotten.
        """
        with self._connection() as database:
            found = database.execute("SELECT DISTINCT uid, scope, token FROM decisions WHERE token != ''").fetchall()
            for uid, scope, token in found:
                over = token not in instances if scope == Scope.ONCE else token != session(uid)
                if over:
                    database.execute("DELETE FROM decisions WHERE (uid, scope, token) = (?, ?, ?)", (uid, scope, token))

    def history(self, uid: int, most: int) -> list[Past]:
        """Return the latest lines of a user's history, the last one first.

        :raises StoreError: when it can't be read.
        """
        question = "SELECT time, app, permission, decision, how FROM history WHERE uid = ? ORDER BY number DESC LIMIT ?"
        with self._connection() as database:
            return [Past(*row) for row in database.execute(question, (uid, most))]

    @staticmethod
    def _delete(database: sqlite3.Connection, uid: int, app: str, permissions: list[str]) -> None:
        rows = [(uid, app, permission) for permission in permissions]
        database.executemany("DELETE FROM decisions WHERE (uid, app, permission) = (?, ?, ?)", rows)

    @staticmethod
    def _note(database: sqlite3.Connection, uid: int, app: str, permission: str, decision: str, how: str) -> None:
        row = (int(time.time()), uid, app, permission, decision, how)
        database.execute("INSERT INTO history VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)
        database.execute(_PRUNE, (uid, MOST_HISTORY))

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """The database, in a transaction that ends as the block does."""
        try:
            database = self._open or self._opened()
            self._open = database
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")
        except sqlite3.Error as error:
            self._close()
            raise StoreError(f"can't be read, or not be kept ({self._path}: {error})") from None

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=5, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode = DELETE")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA trusted_schema = OFF")
            if database.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("is damaged")
            (form,) = database.execute("PRAGMA user_version").fetchone()
            if form > len(_MIGRATIONS):
                raise sqlite3.DatabaseError("is of a later version of Tau OS")
            for number, step in enumerate(_MIGRATIONS[form:], form + 1):
                database.executescript(f"BEGIN; {step} PRAGMA user_version = {number}; COMMIT;")
        except BaseException:
            database.close()
            raise
        return database

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
