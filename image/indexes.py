"""What the indexes of a Debian archive say that apt has fetched: of which day they are, and each package's hash."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from image.findings import fail
from image.mirrors import checks_valid_until
from image.progress import Progress

_DAY = 86400
#: A package as an index lists it: its name, version and architecture.
Package = tuple[str, str, str]


@dataclass(frozen=True)
class Index:
    """A signed index (InRelease) of a suite.

    :param suite: as the sources name it, ``trixie-security``.
    :param date: when the archive made it, ISO 8601.
    :param valid_until: until when it may be trusted; None where the archive does not say (a stable release).
    """

    suite: str
    date: str
    valid_until: str | None = None

    def stale(self, now: float) -> bool:
        """Whether it was out of date at `now` (seconds since 1970)."""
        return self.valid_until is not None and datetime.fromisoformat(self.valid_until).timestamp() < now

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def read_indexes(lists: Path) -> list[Index]:
    """Return the indexes in a folder of apt's lists, by suite.

    :raises FindingsError: when one has no date.
    """
    found = []
    for path in lists.glob("*_dists_*_InRelease"):
        suite = path.name.rpartition("_dists_")[2].removesuffix("_InRelease")
        text = path.read_text(errors="replace")
        try:
            date, valid_until = _time(text, "Date"), _time(text, "Valid-Until")
        except ValueError:
            date = None
        if date is None:
            raise fail(f"the archive's index of {suite} has no date", hint="use another mirror (--mirror)")
        found.append(Index(suite, date, valid_until))
    return sorted(found, key=lambda index: index.suite)


def _time(text: str, field: str) -> str | None:
    match = re.search(rf"^{field}: (.+)$", text, re.MULTILINE)
    if match is None:
        return None
    return parsedate_to_datetime(match[1].strip()).astimezone(UTC).isoformat()


def refuse_stale(indexes: Iterable[Index], progress: Progress) -> None:
    """Refuse indexes whose Valid-Until has passed: an old one, replayed, brings back packages with holes.

    Where this host's apt is told not to mind (Acquire::Check-Valid-Until, for frozen archives), say so and go on.

    :raises FindingsError: naming each suite with the date and age of its index.
    """
    now = time.time()
    stale = [_described(index, now) for index in indexes if index.stale(now)]
    if not stale:
        return
    words = "; ".join(stale)
    if checks_valid_until():
        raise fail(
            f"the archive's index is out of date: {words}",
            hint="use another mirror (--mirror), or correct this host's clock",
        )
    progress.note(f"note: an index that is out of date is used: {words}; this host's apt does not check Valid-Until")


def _described(index: Index, now: float) -> str:
    age = int((now - datetime.fromisoformat(index.date).timestamp()) / _DAY)
    return f"{index.suite} of {index.date[:10]} ({age} days old, valid until {str(index.valid_until)[:10]})"


def package_hashes(lists: Path, wanted: Sequence[Package]) -> dict[Package, str]:
    """Return the SHA-256 of the .deb of each package, as the signed indexes in a folder of apt's lists have it.

    apt has refused a .deb with any other: this is what was installed. What no index lists is left out.
    """
    names = {name.encode() for name, _, _ in wanted}
    found = {}
    for path in lists.glob("*_Packages"):
        for stanza in path.read_bytes().split(b"\n\n"):
            # Of 70,000 packages a hundred are looked at: the name comes first in every stanza.
            if stanza[9 : stanza.find(b"\n")] in names:
                fields = _fields(stanza)
                found[(fields["Package"], fields["Version"], fields["Architecture"])] = fields["SHA256"]
    return {package: found[package] for package in wanted if package in found}


def _fields(stanza: bytes) -> Mapping[str, str]:
    lines = (line.partition(": ") for line in stanza.decode(errors="replace").splitlines() if line[:1].strip())
    return {key: value for key, _, value in lines}
