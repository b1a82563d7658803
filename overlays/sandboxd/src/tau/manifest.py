"""``manifest.tau``: what an app is, and what it may ask for. Read strictly; every finding has line and column."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from tau.findings import Finding, Place, nearest, quoted, shortened
from tau.limits import MAX_MANIFEST
from tau.names import ID, MAX_ID
from tau.permissions import PERMISSIONS, UNAVAILABLE, wider_than
from tau.seccomp_groups import ADDITIONS
from tau.strict_json import Document, Path, key_text, parse

#: What the file is called in an app's folder and bundle.
FILE_NAME = "manifest.tau"

#: One to four numbers. They are compared number by number, and those that are missing are 0.
VERSION = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.(?:0|[1-9][0-9]{0,8})){0,3}")
#: The runtimes that this system has.
RUNTIMES = ("org.tauos.base/13",)
#: Longest text of each kind, in characters, and most items of each list.
MAX_NAME, MAX_SUMMARY, MAX_REASON, MAX_ARGUMENT, MAX_ARGUMENTS = 64, 200, 500, 1000, 100

#: What others call a key of ours.
_OTHER_NAMES = {"description": "summary", "title": "name", "exec": "command", "program": "command"}
_KEYS = ("id", "permissions", "name", "version", "summary", "command", "runtime", "seccomp")
_PROGRAM = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9._+-]{0,254}(?:/[A-Za-z0-9_+][A-Za-z0-9._+-]{0,254}){0,15}")


@dataclass(frozen=True)
class Addition:
    """A system call, or a group of them, that the app asks for beyond the baseline, and why."""

    allow: str
    reason: str


@dataclass(frozen=True)
class Manifest:
    """A manifest without a finding.

    :param permissions: names from :data:`tau.permissions.PERMISSIONS`, in their order there.
    :param command: the program, as a path inside of the bundle, and its first arguments.
    """

    id: str
    permissions: tuple[str, ...]
    name: str
    version: str
    summary: str
    command: tuple[str, ...]
    runtime: str
    seccomp: tuple[Addition, ...]

    @property
    def version_key(self) -> tuple[int, ...]:
        """The version as numbers that can be compared: 1.2 and 1.2.0 are the same."""
        numbers = [int(part) for part in self.version.split(".")]
        return tuple(numbers + [0] * (4 - len(numbers)))


@dataclass
class Checked:
    """A manifest as far as it can be used: `manifest` is None when there are findings."""

    manifest: Manifest | None
    findings: list[Finding] = field(default_factory=list)


def read(path: FilePath) -> bytes:
    """Return a manifest's content; of a file that is too large, enough for :func:`check` to refuse it.

    :raises OSError: when it can't be read.
    """
    with path.open("rb") as file:
        return file.read(MAX_MANIFEST + 1)


def check(data: bytes) -> Checked:
    """Read and check a manifest. It never raises.

    :param data: the file's content.
    """
    document = parse(data)
    reader = _Checker(document)
    manifest = reader.manifest() if document.places else None
    findings = sorted([*document.findings, *reader.findings], key=lambda finding: finding.place)
    return Checked(None if findings else manifest, findings)


def default_command(app: str) -> tuple[str, ...]:
    """Return the command of a manifest that names none: ``bin/`` and the last part of the id."""
    return (f"bin/{app.rpartition('.')[2]}",)


class _Checker:
    """Takes a document apart. A value that is wrong is noted, and another that will do is returned in its place."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.findings: list[Finding] = []

    def manifest(self) -> Manifest | None:
        data = self._document.value
        if self._document.findings and data is None:
            return None
        if not isinstance(data, dict):
            self._note((), f"is {_kind(data)}", expected="an object")
            return None
        self._only_keys(data, (), _KEYS)
        for key in ("id", "permissions"):
            if key not in data:
                self._note((), f'"{key}" is missing')
        app = self._id(data.get("id", "a.a.a"))
        return Manifest(
            id=app,
            permissions=self._permissions(data.get("permissions", [])),
            name=self._line(("name",), data["name"], MAX_NAME) if "name" in data else app,
            version=self._version(data.get("version", "0")),
            summary=self._line(("summary",), data["summary"], MAX_SUMMARY) if "summary" in data else "",
            command=self._command(data["command"]) if "command" in data else default_command(app),
            runtime=self._one_of(("runtime",), data.get("runtime", RUNTIMES[0]), RUNTIMES, "a runtime of this system"),
            seccomp=self._seccomp(data.get("seccomp", [])),
        )

    def _id(self, value: Any) -> str:
        expected = (
            "a domain name backwards, like org.example.player: at least three parts of a-z, 0-9 and _, each of which "
            "begins with a letter"
        )
        app = self._pattern(("id",), value, ID, expected, lambda text: text.lower().replace("-", "_"))
        if len(app) > MAX_ID:
            self._note(("id",), f"is longer than {MAX_ID} characters")
        return app

    def _version(self, value: Any) -> str:
        if type(value) is int:
            self._note(("version",), "is a number", expected=f'text: "{value}"')
            return ""
        return self._pattern(("version",), value, VERSION, "one to four numbers without leading zeros, like 1.2.0")

    def _permissions(self, value: Any) -> tuple[str, ...]:
        found = self._list(("permissions",), value, len(PERMISSIONS), self._permission, _list_of(value))
        self._once("permissions", found, ())
        if all(f"filesystem:{mode}:picked" in found for mode in ("ro", "rw")):
            self._note(("permissions",), "has two that are about one and the same folder", expected="ro or rw of it")
        return tuple(name for name in PERMISSIONS if name in found)

    def _permission(self, path: Path, value: Any) -> str:
        name = self._text(path, value)
        if name is None or name in PERMISSIONS:
            return name or ""
        if name in UNAVAILABLE:
            self._note(path, f"{quoted(name)} is not available on this system yet")
        elif wider := wider_than(name):
            folders = ", ".join(PERMISSIONS[wider].folders)
            expected = f'"{wider}", for {folders} together: there is none for {name.rpartition(":")[2]} alone'
            self._note(path, f"{quoted(name)} is not a permission", expected=expected)
        else:
            close = nearest(name, PERMISSIONS)
            known = None if close else f"one of {', '.join(PERMISSIONS)}"
            self._note(path, f"{quoted(name)} is not a permission", expected=known, close=close)
        return ""

    def _command(self, value: Any) -> tuple[str, ...]:
        words = self._list(("command",), value, MAX_ARGUMENTS, self._argument, _list_of(value))
        if value == []:
            self._note(("command",), "is empty", expected="a program of the bundle and its arguments")
        elif words and not _PROGRAM.fullmatch(words[0]) and not self._has(("command", 0)):
            expected = "the path of a program inside of the bundle, like bin/player"
            self._note(("command", 0), f"is {quoted(words[0])}", expected=expected)
        return words

    def _argument(self, path: Path, value: Any) -> str:
        return self._line(path, value, MAX_ARGUMENT)

    def _seccomp(self, value: Any) -> tuple[Addition, ...]:
        found = self._list(("seccomp",), value, len(ADDITIONS), self._addition)
        self._once("seccomp", [addition.allow for addition in found], ("allow",))
        return found

    def _addition(self, path: Path, value: Any) -> Addition:
        if not isinstance(value, dict):
            self._note(path, f"is {_kind(value)}", expected='an object with "allow" and "reason"')
            return Addition("", "")
        self._only_keys(value, path, ("allow", "reason"))
        for key in ("allow", "reason"):
            if key not in value:
                self._note(path, f'"{key}" is missing')
        known = tuple(ADDITIONS)
        return Addition(
            self._one_of((*path, "allow"), value["allow"], known, "what an app may add") if "allow" in value else "",
            self._line((*path, "reason"), value["reason"], MAX_REASON) if "reason" in value else "",
        )

    def _list(
        self, path: Path, value: Any, most: int, item: Callable[[Path, Any], Any], expected: str = "a list"
    ) -> tuple[Any, ...]:
        if not isinstance(value, list):
            self._note(path, f"is {_kind(value)}", expected=expected)
            return ()
        if len(value) > most:
            self._note(path, f"has {len(value)} items", expected=f"at most {most}")
        return tuple(item((*path, index), each) for index, each in enumerate(value[:most]))

    def _only_keys(self, data: dict[str, Any], path: Path, known: tuple[str, ...]) -> None:
        for key in data:
            if key not in known:
                others = {} if path else _OTHER_NAMES
                close = nearest(key, (*known, *others))
                close = others.get(close, close) if close else None
                expected = None if close else f"one of {', '.join(known)}"
                here = (*path, key)
                place = self._document.keys[here]
                message = f"{quoted(key)} is not a known key"
                self.findings.append(Finding(place, key_text(path), message, expected, close))

    def _one_of(self, path: Path, value: Any, known: tuple[str, ...], what: str) -> str:
        text = self._text(path, value)
        if text is not None and text not in known:
            close = nearest(text, known)
            expected = None if close else f"one of {', '.join(known)}"
            self._note(path, f"{quoted(text)} is not {what}", expected=expected, close=close)
        return text or ""

    def _pattern(
        self,
        path: Path,
        value: Any,
        pattern: re.Pattern[str],
        expected: str,
        mend: Callable[[str], str] = lambda text: text,
    ) -> str:
        text = self._text(path, value)
        if text is not None and not pattern.fullmatch(text):
            mended = mend(text)
            close = mended if pattern.fullmatch(mended) else None
            self._note(path, f"is {quoted(text)}", expected=expected, close=close)
        return text or ""

    def _line(self, path: Path, value: Any, longest: int) -> str:
        """A line that a terminal may show as it is: no control, bidirectional or invisible characters."""
        text = self._text(path, value)
        if text is None:
            return ""
        if not text.strip():
            self._note(path, "is empty")
        elif len(text) > longest:
            self._note(path, f"has {len(text)} characters", expected=f"at most {longest}")
        return text

    def _text(self, path: Path, value: Any) -> str | None:
        if not isinstance(value, str):
            self._note(path, f"is {_kind(value)}", expected="text")
            return None
        if not value.isprintable():
            self._note(path, f"{quoted(value)} holds a character that can't be shown", expected="one printable line")
            return None
        return value

    def _once(self, key: str, names: Sequence[str], below: Path) -> None:
        for index, name in enumerate(names):
            if name and name in names[:index]:
                self._note((key, index, *below), f"{quoted(name)} is there twice")

    def _has(self, path: Path) -> bool:
        return any(finding.key == key_text(path) for finding in self.findings)

    def _note(self, path: Path, message: str, *, expected: str | None = None, close: str | None = None) -> None:
        place = self._document.places.get(path) or self._document.places.get((), Place(1, 1))
        self.findings.append(Finding(place, key_text(path), message, expected, close))


def _list_of(value: Any) -> str:
    """What is expected where a list of words is; of a text of words, how they are written as one."""
    return f"a list, like {shortened(json.dumps(value.split()))}" if isinstance(value, str) else "a list"


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number"}
    return kinds.get(type(value), "null")
