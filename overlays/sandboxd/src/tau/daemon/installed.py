"""What is installed, read from the helper's records."""

from pathlib import Path

from tau import record
from tau.record import Record

_APPS = Path("/var/lib/tau/sandbox/apps")


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
