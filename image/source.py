"""YAML into plain data, with the line of every key: no tags, aliases or duplicate keys, bounded size and depth."""

import os
import stat
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from image.findings import Finding, FindingsError

#: Bytes. The largest file of ours has 10 KiB; what is larger is a mistake or an attack on the parser.
MAX_SIZE = 1 << 20
#: Levels of nesting. Ours have six; PyYAML's composer is recursive.
MAX_DEPTH = 20

type_names = {dict: "a mapping", list: "a list", str: "text", int: "a whole number", bool: "true or false"}
Location = tuple[str | int, ...]


@dataclass
class Document:
    """A parsed YAML file.

    :param path: the file.
    :param data: what it holds: dict, list, str, int, float, bool and None only.
    :param lines: the line, counted from 1, of each key path, e.g. ``("options", "size", "default")``.
    :param findings: what is wrong with single keys and values. The rest of the file can be used.
    :param bad: the key paths of these values.
    """

    path: Path
    data: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    bad: set[Location] = field(default_factory=set)

    def line(self, location: Location) -> int | None:
        """Return the line of `location`, or of the closest parent that has one."""
        while location:
            if location in self.lines:
                return self.lines[location]
            location = location[:-1]
        return self.lines.get(())

    def item(self, key: str, value: object) -> Location:
        """Return the key path of `value` in the list at the top-level `key`."""
        return key, self.data[key].index(value)

    def finding(self, location: Location, message: str, **details: str | None) -> Finding:
        """Make a finding at `location` in this file."""
        return self.place(location, Finding(message, **details))  # type: ignore[arg-type]

    def place(self, location: Location, finding: Finding) -> Finding:
        """Return `finding`, at `location` in this file."""
        key = ".".join(str(part) for part in location) or None
        return replace(finding, file=self.path, line=self.line(location), key=key)


def read_text(path: Path) -> str:
    """Read a file of somebody's: a regular one, at most :data:`MAX_SIZE` bytes, UTF-8, no NUL.

    :raises FindingsError: when it is anything else or can't be read.
    """
    try:
        # O_NONBLOCK: opening a FIFO that somebody left there must not hang the build.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FindingsError([Finding("is not a regular file", file=path)])
            content = stream.read(MAX_SIZE + 1)
    except OSError as error:
        raise FindingsError([Finding(f"can't be read: {error.strerror}", file=path)]) from error
    if len(content) > MAX_SIZE:
        raise FindingsError([Finding("is too large", file=path, expected=f"at most {MAX_SIZE} bytes")])
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FindingsError([Finding("is not UTF-8 text", file=path, line=line)]) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FindingsError([Finding("holds a NUL character", file=path, line=line)])
    return text


def read_yaml(path: Path) -> Document:
    """Parse a YAML file whose top level is a mapping. Its `findings` are every duplicate key, tag and odd key.

    :raises FindingsError: when it can't be parsed at all: its first syntax error, or every alias.
    """
    text = read_text(path)
    document = Document(path, {})
    try:
        _refuse_aliases_and_depth(text, document)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise FindingsError([Finding(f"is not valid YAML: {error.problem}", file=path, line=line)]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise FindingsError([Finding(f"is not valid YAML: {error}", file=path)]) from error
    if not isinstance(root, yaml.MappingNode):
        raise FindingsError([Finding("has no keys", file=path, line=1, expected="a mapping at the top level")])
    document.data = _plain(root, (), document) or {}
    return document


def _refuse_aliases_and_depth(text: str, document: Document) -> None:
    depth = 0
    findings = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > MAX_DEPTH:
            message = f"is nested more than {MAX_DEPTH} levels deep"
            raise FindingsError([Finding(message, file=document.path, line=line)])
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            # One alias can stand for a million values: "billion laughs".
            findings.append(Finding(f"anchor or alias {anchor!r} is not allowed", file=document.path, line=line))
    if findings:
        raise FindingsError(findings)


_constructor = yaml.SafeLoader("")


def _plain(node: yaml.Node, where: Location, document: Document) -> Any:
    document.lines.setdefault(where, node.start_mark.line + 1)
    if node.tag not in _TAGS:
        document.findings.append(document.finding(where, f"has the tag {node.tag!r}", expected="a plain value"))
        document.bad.add(where)
        return None
    if isinstance(node, yaml.MappingNode):
        return _plain_mapping(node, where, document)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*where, index), document) for index, item in enumerate(node.value)]
    try:
        return _constructor.construct_object(node)
    except (ValueError, yaml.YAMLError) as error:
        document.findings.append(document.finding(where, f"is not a valid value: {error}"))
        document.bad.add(where)
        return None


# Dates and octal integers are the usual surprises; text is what was meant, so a date must be quoted.
_SCALARS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}
_TAGS = _SCALARS | {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


def _plain_mapping(node: yaml.MappingNode, where: Location, document: Document) -> dict[str, Any]:
    result: dict[str, Any] = {}
    first_line: dict[Hashable, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str) or key_node.tag not in _SCALARS:
            finding = Finding("a key is not plain text", file=document.path, line=line, expected="a name")
            document.findings.append(finding)
            document.bad.add((*where, "?"))  # which key it was meant to be is anybody's guess
            continue
        if key in first_line:
            dotted = ".".join(str(part) for part in (*where, key))
            finding = Finding(f"is given twice, first in line {first_line[key]}", document.path, line, dotted)
            document.findings.append(finding)
            document.bad.add((*where, key))
            continue
        first_line[key] = line
        document.lines[(*where, key)] = line
        result[key] = _plain(value_node, (*where, key), document)
    return result
