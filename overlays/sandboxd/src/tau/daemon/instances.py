"""The instances that may ask, and what decisions of theirs are bound to."""

from pathlib import Path

from tau import running
from tau.daemon.store import Token
from tau.running import Running

#: Here systemd says what a unit's present run is called (sd_id128_get_invocation(3)).
_INVOCATIONS = Path("/run/systemd/units")


def session(uid: int) -> str:
    """Return what a user's service manager is called as long as it runs, which is until their last session ends."""
    try:
        return str((_INVOCATIONS / f"invocation:user@{uid}.service").readlink())
    except OSError:
        return ""


def token(instance: Running) -> Token:
    """Return what decisions of an instance are bound to."""
    return Token(instance.name, session(instance.uid))


def runs(instance: Running) -> bool:
    """Whether it still runs: it may have ended while its user thought, and its number be nobody's."""
    return running.read(instance.number) == instance


def of_name(name: str) -> Running | None:
    """Return the instance that is called so, or None when it does not run, or has nothing to ask for."""
    try:
        found = running.read(int(name.rpartition("-")[2], 16))
    except ValueError:
        return None
    return found if found and found.name == name else None


def of_app(uid: int, app: str) -> list[Running]:
    """Return the instances of a user's app."""
    return [each for each in running.every() if (each.uid, each.app) == (uid, app)]


def names() -> set[str]:
    """Return the names of all."""
    return {each.name for each in running.every()}
