"""What is wrong with somebody's input, said for the person who wrote it: one type for every check."""

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where.

    :param message: what is wrong, in one sentence.
    :param file: the file that somebody must edit, or None when no file is at fault.
    :param line: its line, counted from 1, or None when the whole file is meant.
    :param key: the dotted key inside the file (``options.log_size.default``).
    :param expected: what would have been right.
    :param nearest: the right name that is closest to the one given.
    :param hint: what to do, often a command.
    """

    message: str
    file: Path | None = None
    line: int | None = None
    key: str | None = None
    expected: str | None = None
    nearest: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        parts = []
        if self.file is not None:
            parts.append(f"{self.file}: " if self.line is None else f"{self.file}:{self.line}: ")
        if self.key:
            parts.append(f"{self.key}: ")
        parts.append(self.message)
        if self.expected:
            parts.append(f"; expected {self.expected}")
        if self.nearest:
            parts.append(f"; did you mean {self.nearest!r}?")
        hint = [f"\n    {printable(line)}" for line in self.hint.splitlines()] if self.hint else []
        return "".join([printable("".join(parts)), *hint])


class FindingsError(Exception):
    """Raised when input can't be used. Carries every finding of the run, not only the first."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: list[Finding] = sorted(dict.fromkeys(findings), key=lambda f: (str(f.file or ""), f.line or 0))
        super().__init__("\n".join(str(finding) for finding in self.findings))


def fail(message: str, *, hint: str | None = None, file: Path | None = None) -> FindingsError:
    """Make the error for a single finding: ``raise fail("no space left", hint="…")``."""
    return FindingsError([Finding(message, file=file, hint=hint)])


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to `name`, or None when none is close."""
    matches: Sequence[str] = difflib.get_close_matches(name, sorted(known), n=1)
    return matches[0] if matches else None


def right_name(name: str, known: Collection[str]) -> tuple[str | None, str | None]:
    """Return a finding's `expected` and `nearest` for a name that is not `known`: the one near it, else all of them."""
    close = nearest(name, known)
    return (None, close) if close else (one_of(known), None)


def one_of(known: Collection[str]) -> str | None:
    """Return a finding's `expected` where any of these names would do; None where there is none."""
    return f"one of {', '.join(sorted(known))}" if known else None


def printable(text: str) -> str:
    """Return `text` with control and bidirectional characters escaped.

    Names come from other people's files. A terminal must show them, never obey them (CVE-2021-42574, CWE-150).
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
