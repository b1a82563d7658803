"""What is installed, read from the helper's records."""

from pathlib import Path

from tau import record
from tau.names import is_id
from tau.record import Record

_APPS = Path("/var/lib/tau/sandbox/apps")


def app_of(uid: int, app: str) -> Record | None:
    """Return an app of a user's, or None when they have none of that id."""
    if not is_id(app):
        return None
    try:
        found = record.read(_APPS / str(uid) / app / "current" / "record")
    except record.RecordError:
        return None
    return found if (found.uid, found.app) == (uid, app) else None


def apps_of(uid: int) -> list[Record]:
    """Return a user's apps by id. A record that can't be read is left out: such an app can't be started either."""
    found = []
    try:
        folders = sorted((_APPS / str(uid)).iterdir())
    except OSError:
        return []
    for folder in folders:
        try:
            found.append(record.read(folder / "current" / "record"))
        except record.RecordError:
            continue
    return [each for each in found if each.uid == uid]
