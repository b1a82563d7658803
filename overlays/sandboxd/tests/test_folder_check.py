"""What an author can't have meant: it is refused where it can't work or gives a secret away, else it is told."""

import shutil
import struct
from pathlib import Path

import pytest
from tau.folder_check import Look, look, machine_of, program_problem

KEY = "-----BEGIN PRIVATE KEY-----\nAAAABBBB\nCCCC\n-----END PRIVATE KEY-----\n"
OTHER_KEY = KEY.replace("BBBB", "DDDD")


def elf(number: int, *, big: bool = False) -> bytes:
    """The first bytes of a program that is compiled."""
    return b"\x7fELF\x02" + (b"\x02" if big else b"\x01") + bytes(10) + struct.pack(">HH" if big else "<HH", 3, number)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "bin").mkdir(parents=True)
    program(folder / "bin/app", b"#!/bin/sh\n")
    return folder


def program(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)


def seen(app: Path, key: str = KEY, name: str = "bin/app") -> Look:
    (app.parent / "author.key").write_text(key)
    return look(app, name, "x86_64", app.parent / "author.key")


def test_the_program_must_be_one(app: Path) -> None:
    (app / "data").write_text("#!/bin/sh\n")
    program(app / "words", b"echo hello\n")
    program(app / "windows", b"#!/bin/sh\r\necho hello\r\n")
    program(app / "compiled", elf(62))
    program(app / "empty", b"")
    assert program_problem(app, "bin/app") == program_problem(app, "compiled") == ""
    assert program_problem(app, "bin/none") == "is not there"
    assert program_problem(app, "bin") == "is not a file"
    assert program_problem(app, "data") == "is not executable (chmod +x)"
    for name in ("words", "empty"):
        assert program_problem(app, name).startswith("is no program: it begins neither with #!")
    assert program_problem(app, "windows").startswith("has lines that end as on Windows (CR LF)")


def test_an_ordinary_app(app: Path) -> None:
    (app / "bin/other").symlink_to("app")
    program(app / "lib/lib.so", elf(62))
    (app / "words").write_bytes(b"one\r\ntwo\r\n")
    assert seen(app) == Look([], [])


def test_the_key_that_signs(app: Path) -> None:
    """Under whatever name, and in whatever file; another key may be meant."""
    (app / "notes.pem").write_text("a certificate\n" + KEY.replace("\n", "\r\n"))
    (app / "server.key").write_text(OTHER_KEY)
    (app / "words").write_text("AAAABBBBCCCC")
    (app / "reads.py").write_text("begin = '-----BEGIN PRIVATE KEY-----'\nend = '-----END PRIVATE KEY-----'\n")
    assert seen(app) == Look(
        ["notes.pem: is the key that signs, which everybody would have; keep it outside"],
        ["server.key: holds a private key, which everybody has who has the bundle"],
    )
    assert seen(app, key="no key at all").refused == []


@pytest.mark.parametrize("name", [".git", ".hg", ".svn"])
def test_the_history_of_the_sources(app: Path, name: str) -> None:
    (app / "vendor" / name).mkdir(parents=True)
    (app / "vendor" / name / "id.key").write_text(OTHER_KEY)
    (refused,) = seen(app).refused
    assert refused == f"vendor/{name}: is the history of its sources, and nothing of the app; keep it outside"
    assert seen(app).notes == []
    shutil.rmtree(app / "vendor" / name)
    (app / "vendor" / name).write_text("gitdir: elsewhere\n")  # of a work tree
    assert seen(app).refused == [refused]


def test_programs_for_another_machine(app: Path) -> None:
    program(app / "bin/tool", elf(183))
    program(app / "bin/old", elf(3))
    program(app / "bin/strange", elf(9))
    for name in ("one.so", "two.so"):
        program(app / "lib" / name, elf(183))
    assert seen(app) == Look(
        [
            "bin/old: is for i386, and the bundle is for x86_64",
            "bin/strange: is for another machine (number 9 in elf.h), and the bundle is for x86_64",
            "bin/tool: is for aarch64, and the bundle is for x86_64 (--arch aarch64)",
        ],
        ["lib/one.so: is for another machine, and the bundle is for x86_64 (and 1 more)"],
    )
    (refused,) = [line for line in seen(app, name="lib/one.so").refused if line.startswith("lib/")]
    assert refused == "lib/one.so: is for aarch64, and the bundle is for x86_64 (--arch aarch64)"


def test_which_machine_a_program_is_for() -> None:
    assert [machine_of(elf(number)) for number in (62, 183)] == ["x86_64", "aarch64"]
    assert machine_of(elf(22, big=True)) == "s390x"
    assert machine_of(b"\x7fELF") == machine_of(b"#!/bin/sh\n") == machine_of(b"") == ""


def test_what_is_packed_all_the_same(app: Path) -> None:
    (app / "lib/__pycache__").mkdir(parents=True)
    (app / "lib/gone").symlink_to("nothing")
    (app / "lib/round").symlink_to("round")
    assert seen(app) == Look(
        [],
        [
            "lib/gone: is a link to nothing (and 1 more)",
            "lib/__pycache__: is what Python made here; without it, the bundle is the same each time",
        ],
    )


def test_a_script_from_windows(app: Path) -> None:
    program(app / "share/tool", b"#!/usr/bin/env python3\r\n")
    (app / "share/data").write_bytes(b"#!/bin/sh\r\n")
    (refused,) = seen(app).refused
    assert refused.startswith("share/tool: has lines that end as on Windows (CR LF)")
