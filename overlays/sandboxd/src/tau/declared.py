"""What a user's apps declare, and what has been decided of it, as sandboxd says it."""

from typing import NamedTuple

from tau.bus import Bus


class Declared(NamedTuple):
    """A permission that an app declares.

    :param decision: a word (:mod:`tau.decisions`), or ``ask``.
    :param folder: that its user has picked for it, relative to their home; else empty.
    """

    app: str
    permission: str
    decision: str
    folder: str


def declared(bus: Bus) -> list[Declared]:
    """Return all of them.

    :raises BusError: when sandboxd can't be asked.
    """
    reply, found = bus.call("Permissions"), []
    reply.enter("a", "(ssss)")
    while reply.enter("r", "ssss"):
        found.append(Declared(reply.text(), reply.text(), reply.text(), reply.text()))
        reply.leave()
    return found
