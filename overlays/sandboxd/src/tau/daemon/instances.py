"""The instances that may ask: by their links, whose each root says."""

from dataclasses import dataclass
from pathlib import Path

from tau import link
from tau.daemon.store import Token
from tau.link import Linked

#: Here systemd says what a unit's present run is called (sd_id128_get_invocation(3)).
_INVOCATIONS = Path("/run/systemd/units")


@dataclass(frozen=True)
class Instance:
    """One that runs, and has a link: its number, and whose it is."""

    link: int
    app: Linked

    @property
    def name(self) -> str:
        """What it is called: its unit, without ``.service``."""
        return self.app.name

    @property
    def token(self) -> Token:
        """What decisions of it are bound to."""
        return Token(self.name, session(self.app.uid))


def session(uid: int) -> str:
    """Return what a user's service manager is called as long as it runs, which is until their last session ends."""
    try:
        return str((_INVOCATIONS / f"invocation:user@{uid}.service").readlink())
    except OSError:
        return ""


def of_link(number: int) -> Instance | None:
    """Return the instance that has a link, or None when none has."""
    whose = link.read(number)
    return Instance(number, whose) if whose else None


def every() -> list[Instance]:
    """Return all that have a link."""
    return [Instance(number, whose) for number, whose in link.every().items()]


def of_app(uid: int, app: str) -> list[Instance]:
    """Return the instances of a user's app that have a link."""
    return [each for each in every() if (each.app.uid, each.app.app) == (uid, app)]


def names() -> set[str]:
    """Return the names of all that have a link."""
    return {each.name for each in every()}
