"""What of an app stays mounted until its user logs out (tau-kept@.target), so that its next start finds it there."""

import sys
from collections.abc import Iterable

from tau.helper import instance, places, programs
from tau.record import Record

#: Seconds that the end of an app and of what is mounted for it may take: ten until it is killed, and the processor may
#: be an emulated one.
_MAX_SECONDS = 90
#: Most bundles of one user's that are kept: each is mounts and devices that every start on the machine looks at.
_MOST = 50


def unit(record: Record) -> str:
    """Return the unit that keeps a bundle, its user's data and its profile where they are."""
    return f"tau-kept@{instance.bundle(record)}.target"


def prepare(record: Record, data: int) -> None:
    """See to it that an app which is to start finds what it should.

    Its data are in the folder that is there now: its user may have put another in its place. One that joins others of
    the same app shares theirs. Of other versions of it nothing is kept, and not too much of the user's other apps.

    :param data: the inode of that folder, as the user's own program says. With another one it is mounted anew, no more.
    """
    mounted = places.mounted(record.uid, record.app, record.root_hash)
    others = {path.name for path in mounted.parent.glob("*")} - {mounted.name}
    let_go(record.uid, record.app, others)
    if len(list(mounted.parent.parent.glob("*/*"))) >= _MOST:
        _stop([f"tau-kept@{record.uid}-*.target"], "--no-block")
    try:
        same = not (mounted / "data").is_mount() or (mounted / "data").stat().st_ino == data
    except OSError:
        return  # it is being taken away
    if not same:
        # The mount goes with the last that needs it, so that one which has begun meanwhile is none the worse.
        _stop([unit(record)])


def let_go(uid: int, app: str, root_hashes: Iterable[str]) -> None:
    """Keep no longer what is mounted of an app's bundles; each goes when no instance needs it, in its time."""
    units = [f"tau-kept@{uid}-{app}-{each}.target" for each in root_hashes]
    if units:
        _stop(units, "--no-block")


def end(uid: int, app: str) -> None:
    """End what runs of an app and take away what is mounted, and wait for that.

    In an id there are no hyphens, so that these patterns (systemctl(1)) are this app's alone.
    """
    units = [instance.unit(*each) for each in instance.running() if each[:2] == (uid, app)]
    _stop([*units, f"tau-kept@{uid}-{app}-*.target", f"tau-app@{uid}-{app}-*.service"])


def _stop(units: list[str], *options: str) -> None:
    """Stop units, and wait until they have ended."""
    if programs.run(["/usr/bin/systemctl", *options, "stop", "--", *units], _MAX_SECONDS) != 0:
        print(f"not all of these could be stopped: {' '.join(units)}", file=sys.stderr)
