"""JSON, read strictly and with the place of every value: RFC 8259, without what readers of it disagree about.

Duplicate keys, numbers that are no integers, lone surrogates, a byte order mark, and what is larger or deeper than
a manifest needs are refused. Scalars are read by the standard library's decoder; it has no places, so what nests
is walked here.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tau.findings import Finding, Place, quoted
from tau.limits import MAX_MANIFEST

#: Deepest nesting of arrays and objects.
MAX_DEPTH = 8

Path = tuple[str | int, ...]

_BLANKS = " \t\n\r"
_SPACE = re.compile(f"[{_BLANKS}]*")
_SCALAR = re.compile(r'["\-0-9tfn]')
#: What comments begin with, in languages that have them.
_COMMENTS = ("/", "#")
#: An integer that every reader of JSON takes for the same number (RFC 8259, section 6).
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?![0-9.eE])")
#: All that somebody may have meant as a number.
_LIKE_NUMBER = re.compile(r"[-+.0-9A-Za-z]+")


class _SyntaxError(Exception):
    def __init__(self, offset: int, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.path = path


@dataclass
class Document:
    """What a text says.

    :param value: the whole value; None when it could not be read.
    :param places: where each value begins, by its path.
    :param keys: where each key of an object begins, by the path of its value.
    :param findings: what is wrong. After an error of syntax there is only that one.
    """

    value: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def parse(data: bytes) -> Document:
    """Read JSON. It never raises: what is wrong is in the document's findings."""
    document = Document()
    if len(data) > MAX_MANIFEST:
        document.findings.append(Finding(Place(1, 1), "", f"is larger than {MAX_MANIFEST // 1024} KiB"))
        return document
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        place = _place(data[: error.start].decode(), error.start)
        document.findings.append(Finding(place, "", "is not UTF-8; save it as UTF-8"))
        return document
    reader = _Reader(text, document)
    try:
        document.value = reader.read()
    except _SyntaxError as error:
        document.value = None
        document.findings = [Finding(_place(text, error.offset), key_text(error.path), error.message)]
    return document


def key_text(path: Path) -> str:
    """Return a path as people write it: ``seccomp[0].allow``."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


def _place(text: str, offset: int) -> Place:
    before = text[:offset]
    return Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


class _Reader:
    def __init__(self, text: str, document: Document) -> None:
        self._text = text
        self._at = 0
        self._document = document
        self._decoder = json.JSONDecoder()

    def read(self) -> Any:
        if self._text.startswith("\ufeff"):
            message = "begins with a byte order mark, which JSON does not have; save it as UTF-8 without one"
            raise _SyntaxError(0, message)
        self._skip()
        value = self._value((), 0)
        if self._at < len(self._text):
            raise self._unexpected("the end: there is one value")
        return value

    def _value(self, path: Path, depth: int) -> Any:
        self._document.places[path] = _place(self._text, self._at)
        start = self._peek()
        if start in "{[" and start:
            if depth == MAX_DEPTH:
                raise _SyntaxError(self._at, f"is nested more than {MAX_DEPTH} deep")
            inside: Callable[[Path, int], Any] = self._object if start == "{" else self._array
            value = inside(path, depth + 1)
        else:
            value = self._scalar(path)
        self._skip()
        return value

    def _object(self, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._take("{")
        while self._peek() != "}":
            if found:
                self._comma("}")
            place = _place(self._text, self._at)
            if self._peek() != '"':
                raise self._unexpected("a key in double quotes")
            key = self._scalar(path)
            here = (*path, key)
            self._skip()
            self._take(":", "a colon after the key")
            if key in found:
                again = f"is there twice; the first is in line {self._document.keys[here].line}"
                self._document.findings.append(Finding(place, key_text(here), again))
            else:
                self._document.keys[here] = place
            value = self._value(here, depth)
            found.setdefault(key, value)
        self._take("}")
        return found

    def _array(self, path: Path, depth: int) -> list[Any]:
        found: list[Any] = []
        self._take("[")
        while self._peek() != "]":
            if found:
                self._comma("]")
            found.append(self._value((*path, len(found)), depth))
        self._take("]")
        return found

    def _comma(self, close: str) -> None:
        """Go past the comma between two values."""
        if self._peek() not in ("", ",", *_COMMENTS):
            # It is missing where the value before ends, which may be lines above.
            before = self._text[: self._at].rstrip(_BLANKS)
            if "\n" in self._text[len(before) : self._at]:
                below = _place(self._text, self._at).line
                raise _SyntaxError(len(before), f"expected a comma or {close} here, before line {below}")
        self._take(",", f"a comma or {close}")

    def _scalar(self, path: Path) -> Any:
        begin, start = self._at, self._peek()
        if not _SCALAR.match(start):
            raise self._unexpected("a value")
        if start in "-0123456789":
            number = _INTEGER.match(self._text, begin)
            if not number:
                like = _LIKE_NUMBER.match(self._text, begin)
                mend = f"write it as text: {quoted(like[0] if like else start)}"
                raise _SyntaxError(begin, f"is not a number that all readers agree about; {mend}", path)
            self._at = number.end()
            return int(number[0])
        try:
            value, self._at = self._decoder.raw_decode(self._text, begin)
        except json.JSONDecodeError as error:
            raise _SyntaxError(error.pos, _plain(error.msg)) from None
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            raise _SyntaxError(begin, "holds half a character: a \\u escape of a surrogate without its other half")
        return value

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, char: str, expected: str = "") -> None:
        if self._peek() != char:
            raise self._unexpected(expected or char)
        self._at += 1
        self._skip()

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _unexpected(self, expected: str) -> _SyntaxError:
        found = self._peek()
        shown = {"": "the end of the file", '"': "a double quote"}.get(found) or quoted(found)
        mend = "; JSON has no comments: remove it" if found in _COMMENTS else ""
        if found in ("}", "]") and self._text[: self._at].rstrip(_BLANKS).endswith(","):
            mend = "; remove the comma before it"
        return _SyntaxError(self._at, f"expected {expected}, found {shown}{mend}")


def _plain(message: str) -> str:
    """The decoder's message, in the words of the others."""
    known = {
        "Expecting value": "expected a value",
        "Unterminated string starting at": "the text that begins here has no end",
        "Invalid control character at": "a control character must be written as an escape",
        "Invalid \\escape": "is not an escape of JSON",
        "Invalid \\uXXXX escape": "\\u needs four hexadecimal digits",
    }
    return next((text for start, text in known.items() if message.startswith(start)), message)
