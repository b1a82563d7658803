"""YAML files of other people: everything that is refused, and where the refusal points."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.findings import FindingsError, printable
from image.source import MAX_SIZE, read_yaml


def refused(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(FindingsError) as caught:
        raise FindingsError(read_yaml(path).findings)
    return str(caught.value).replace(f"{path}:", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "3: a: is given twice, first in line 1"),
        ("a:\n  b: 1\n  b: 2\n", "3: a.b: is given twice, first in line 2"),
        ("a: &x [1]\nb: *x\n", "1: anchor or alias 'x' is not allowed"),
        (
            "a: !!python/object/apply:os.system [id]\n",
            "1: a: has the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        ("a: !x 1\n", "1: a: has the tag '!x'"),
        ("a: 2026-01-01\n", "1: a: has the tag 'tag:yaml.org,2002:timestamp'"),
        ("? [a]\n: 1\n", "1: a key is not plain text"),
        ("a: [\n", "is not valid YAML"),
        ("a: '\n", "is not valid YAML"),
        ("- a\n", "1: has no keys"),
        ("", "has no keys"),
        ("a: \0", "1: holds a NUL character"),
        (b"a: 1\nb: \xff\n", "2: is not UTF-8 text"),
        ("a: " + "[" * 40 + "]" * 40, "is nested more than 20 levels deep"),
        (b"#" * (MAX_SIZE + 1), "is too large"),
    ],
)
def test_refuses_with_line_and_reason(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert said in refused(tmp_path / "f.yaml", content)


def test_reports_every_duplicate_of_a_file(tmp_path: Path) -> None:
    text = refused(tmp_path / "f.yaml", "a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert "2: a: is given twice" in text
    assert "3: b.c: is given twice" in text


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, tmp_path / "missing"):
        with pytest.raises(FindingsError):
            read_yaml(path)


def test_knows_the_line_of_every_key(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("a: 1\nb:\n  - x\n  - c: 2\n")
    document = read_yaml(path)
    assert document.data == {"a": 1, "b": ["x", {"c": 2}]}
    assert document.line(("b", 1, "c")) == 4
    assert document.line(("b", 1, "unknown")) == 4


@given(st.binary(max_size=300))
def test_any_bytes_give_data_or_a_finding(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "f.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(read_yaml(path).data, dict)
    except FindingsError as error:
        assert error.findings


@given(st.text(max_size=100))
def test_a_message_never_carries_control_characters(text: str) -> None:
    assert printable(text).isprintable()
