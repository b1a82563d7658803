"""Remember the folder that a user has picked for one of their apps: a path below their home, from their own ticket.

What the app may do there is decided as for any other permission; sandboxd has no say in which folder it is.
"""

from tau import record, running
from tau.folders import PICKED, is_below_home
from tau.helper import attachments, lock, places
from tau.helper.refusal import RefusedError
from tau.names import is_id
from tau.permissions import PERMISSIONS, attached_of
from tau.status import Status
from tau.ticket import Asked, Wish


def pick(asked: Asked, group: int) -> None:
    """Have a folder be the one of a ticket's app, for what runs of it, too.

    :raises RefusedError: when there is no such app, or that can't be such a folder.
    """
    if asked.wish != Wish.PICK or not is_id(asked.app):
        raise RefusedError(Status.NO_TICKET, "does not ask for a folder")
    try:
        path = asked.details.decode()
    except UnicodeDecodeError:
        path = ""
    if not is_below_home(path):
        raise RefusedError(Status.NO_TICKET, "can't have a folder that is hidden, or not below the home")
    folder = places.app_folder(asked.uid, asked.app)
    with lock.of_apps(asked.uid, group):
        try:
            declared = record.read(folder / places.CURRENT / places.RECORD).permissions
        except record.RecordError:
            raise RefusedError(Status.NOT_THERE, "is not installed") from None
        if not _has_picked(declared):
            raise RefusedError(Status.BAD_REQUEST, "does not ask for a folder of your choice")
        beside = folder / f".{places.PICKED}"
        beside.unlink(missing_ok=True)
        places.write_file(beside, path.encode(), group)
        beside.rename(folder / places.PICKED)
    failed = None
    for each in list(running.every()):
        if (each.uid, each.app) == (asked.uid, asked.app) and _has_picked(each.wanted):
            try:
                attachments.carry_out(each)
            except RefusedError as error:
                failed = error if error.status != Status.NOT_THERE else failed  # it has just ended
    if failed:
        raise failed


def _has_picked(mask: int) -> bool:
    return any(PICKED in PERMISSIONS[name].folders for name in attached_of(mask))
