"""What is wrong in a file that somebody wrote, said for that person, and text of others made safe to show."""

from collections.abc import Iterable
from typing import NamedTuple


class Place(NamedTuple):
    """Where in a text: line and column, each counted from 1, the column in characters."""

    line: int
    column: int


class Finding(NamedTuple):
    """One thing that is wrong.

    :param place: where it begins.
    :param key: the path to the value inside the file, like ``permissions[1]``; empty for the file itself.
    :param message: what is wrong, in one sentence.
    :param expected: what would have been right.
    :param nearest: the right name that is closest to the one given.
    """

    place: Place
    key: str
    message: str
    expected: str | None = None
    nearest: str | None = None

    def text(self, file: str) -> str:
        """Return the finding as a compiler would print it: ``FILE:LINE:COLUMN: KEY: MESSAGE; …``."""
        key = f"{self.key}: " if self.key else ""
        parts = [f"{file}:{self.place.line}:{self.place.column}: {key}{self.message}"]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.nearest:
            parts.append(f'did you mean "{self.nearest}"?')
        return printable("; ".join(parts))

    def as_dict(self) -> dict[str, object]:
        """Return the finding as plain data, for ``--json``."""
        data = self._asdict()
        return {**data.pop("place")._asdict(), **data}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to `name`, or None when none is close."""
    import difflib  # where something is wrong, and not at each start of an app

    matches = difflib.get_close_matches(name, sorted(known), n=1)
    return matches[0] if matches else None


def printable(text: str) -> str:
    """Return `text` with control and bidirectional characters escaped.

    A terminal must show what others wrote, never obey it (CVE-2021-42574, CWE-150).
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def quoted(value: object) -> str:
    """Return a value as JSON's reader would write it, cut off where it is long, for a message."""
    return shortened('"' + printable(value) + '"' if isinstance(value, str) else str(value))


def shortened(text: str, longest: int = 60) -> str:
    """Return a text, cut off where it is long, for a message."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
