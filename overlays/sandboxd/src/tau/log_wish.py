"""What of the journal a user wants to see, as their ticket says it: fixed fields. Which app, the ticket says itself."""

import struct
from typing import NamedTuple

#: Flags, lines.
_FIELDS = struct.Struct("!B3xI")
_FOLLOW = 1
#: Most lines that can be asked for; 0 is all.
MAX_LINES = 1_000_000


class LogWishError(Exception):
    """Nobody can ask for this; the message is for whoever did."""


class LogWish(NamedTuple):
    """How much of it.

    :param lines: the last so many, or 0 for all.
    :param follow: whether what comes later is wanted, too, as it comes.
    """

    lines: int = 0
    follow: bool = False

    def pack(self) -> bytes:
        """Return it as a ticket's details.

        :raises LogWishError: when it is out of bounds.
        """
        if not 0 <= self.lines <= MAX_LINES:
            raise LogWishError(f"lines are a number from 0 to {MAX_LINES}")
        return _FIELDS.pack(_FOLLOW if self.follow else 0, self.lines)


def unpack(data: bytes) -> LogWish:
    """Return what :meth:`LogWish.pack` packed.

    :raises LogWishError: for anything else.
    """
    try:
        flags, lines = _FIELDS.unpack(data)
    except struct.error:
        raise LogWishError("is of another form") from None
    wish = LogWish(lines, bool(flags & _FOLLOW))
    if flags & ~_FOLLOW or wish.pack() != data:
        raise LogWishError("is of another form")
    return wish
