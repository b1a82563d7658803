"""What a user has decided of a permission: the words of the store, of the bus and of the agents."""

from enum import StrEnum
from typing import NamedTuple


class Scope(StrEnum):
    """How long a decision holds."""

    #: As long as the instance runs.
    ONCE = "once"
    #: Until the user has no session any more.
    SESSION = "session"
    ALWAYS = "always"

    @property
    def plain(self) -> str:
        """How long, as people say it."""
        return {"once": "as long as it runs", "session": "until you log out", "always": "always"}[self]


class Decision(NamedTuple):
    """Yes or no, and for how long."""

    allowed: bool
    scope: Scope

    @property
    def word(self) -> str:
        """One word for it: ``allow-once``."""
        return f"{'allow' if self.allowed else 'deny'}-{self.scope}"


#: Every decision, by its word.
DECISIONS = {each.word: each for each in (Decision(allowed, scope) for allowed in (True, False) for scope in Scope)}
