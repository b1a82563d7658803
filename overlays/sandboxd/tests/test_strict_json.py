"""The JSON reader: what it takes, the standard library takes alike; what readers disagree about, it refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tau.findings import Place
from tau.limits import MAX_MANIFEST
from tau.strict_json import MAX_DEPTH, key_text, parse

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_scalars = st.none() | st.booleans() | st.integers(-(10**14), 10**14) | _text
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)


@given(_values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_it_reads_what_the_standard_library_writes(value: Any, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document = parse(text.encode())
    if document.findings:
        assert "deep" in document.findings[0].message
    else:
        assert document.value == value


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\u \n', max_size=60).map(str.encode))
def test_what_it_takes_any_reader_takes_alike(data: bytes) -> None:
    document = parse(data)
    if not document.findings:
        assert json.loads(data) == document.value
        assert () in document.places


@given(st.binary(max_size=200))
def test_it_never_raises_and_says_why(data: bytes) -> None:
    document = parse(data)
    assert document.findings or document.places


def test_places_are_lines_and_columns() -> None:
    document = parse('{\n  "a": [1,\n 22],\n\t"b": {"ü": "x", "c": null}\n}'.encode())
    assert document.places[("a",)] == Place(2, 8)
    assert document.places[("a", 1)] == Place(3, 2)
    assert document.keys[("b", "c")] == Place(4, 18)
    assert document.places[("b", "c")] == Place(4, 23)
    assert key_text(("b", "c", 3, "d")) == "b.c[3].d"


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ('{"a": 1, "a": 2}', (1, 10), "is there twice; the first is in line 1"),
        ('{"a": 1,\n}', (2, 1), 'expected a key in double quotes, found "}"; remove the comma before it'),
        ("[1, 2, ]", (1, 8), 'expected a value, found "]"; remove the comma before it'),
        ("[,]", (1, 2), 'expected a value, found ","'),
        ("[1, 2", (1, 6), "expected a comma or ], found the end of the file"),
        ("[1 2]", (1, 4), 'expected a comma or ], found "2"'),
        ('["a" "b"]', (1, 6), "expected a comma or ], found a double quote"),
        ('{"a": 1\n\n "b": 2}', (1, 8), "expected a comma or } here, before line 3"),
        ("[[1]\n[2]]", (1, 5), "expected a comma or ] here, before line 2"),
        ('{"a": 1\n# more\n}', (2, 1), 'expected a comma or }, found "#"; JSON has no comments: remove it'),
        ("{'a': 1}", (1, 2), 'expected a key in double quotes, found "\'"'),
        ('{"a" 1}', (1, 6), "expected a colon after the key"),
        ("", (1, 1), "expected a value, found the end of the file"),
        ("1 2", (1, 3), "expected the end: there is one value"),
        ("[1.5]", (1, 2), 'is not a number that all readers agree about; write it as text: "1.5"'),
        ("[1e3]", (1, 2), "is not a number that all readers agree about"),
        ("[01]", (1, 2), "is not a number that all readers agree about"),
        ("[1234567890123456]", (1, 2), "is not a number that all readers agree about"),
        ("[NaN]", (1, 2), "expected a value"),
        ("[nul]", (1, 2), "expected a value"),
        ("[Infinity]", (1, 2), "expected a value"),
        ("[-Infinity]", (1, 2), 'is not a number that all readers agree about; write it as text: "-Infinity"'),
        ('["a\nb"]', (1, 4), "a control character must be written as an escape"),
        ('["\\x41"]', (1, 3), "is not an escape of JSON"),
        ('["\\ud800"]', (1, 2), "holds half a character"),
        ('["abc', (1, 2), "the text that begins here has no end"),
        ("\ufeff{}", (1, 1), "begins with a byte order mark, which JSON does not have; save it as UTF-8 without one"),
        ("// c\n{}", (1, 1), 'expected a value, found "/"; JSON has no comments: remove it'),
        ("{\n# c\n}", (2, 1), 'expected a key in double quotes, found "#"; JSON has no comments: remove it'),
    ],
)
def test_what_is_refused(text: str, where: tuple[int, int], said: str) -> None:
    first = parse(text.encode()).findings[0]
    assert said in first.message
    assert (first.place.line, first.place.column) == where


def test_what_is_no_text() -> None:
    (finding,) = parse(b'{"a":\n "\xff"}').findings
    assert (finding.place, finding.message) == (Place(2, 3), "is not UTF-8; save it as UTF-8")


def test_limits() -> None:
    assert "nested more than" in parse(b"[" * MAX_MANIFEST).findings[0].message
    assert "nested more than" in parse(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)).findings[0].message
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH).findings == []
    assert "is larger than 64 KiB" in parse(b" " * (MAX_MANIFEST + 1)).findings[0].message
    assert parse(b"1" + b" " * (MAX_MANIFEST - 1)).value == 1
