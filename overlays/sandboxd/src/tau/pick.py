"""Give an app a folder of its user's own choice: their word goes to root, in a ticket."""

from tau import ticket
from tau.bus import Bus
from tau.user_folders import home, to_pick


def pick(bus: Bus, app: str, path: str) -> None:
    """Do it.

    :param path: as the user writes it, relative to their home.
    :raises FolderError: when it can't be given; the message follows the path.
    :raises BusError: when sandboxd refuses.
    """
    given, kept = ticket.write(ticket.Wish.PICK, app=app, details=to_pick(home(), path).encode())
    with given, kept:
        bus.call("Pick", "h", given.fileno())
