"""The manifest: the seed's own is valid, and everything that is wrong in another is told, with its place."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tau.manifest import Addition, Manifest, check
from tau.names import ID, MAX_ID
from tau.permissions import PERMISSIONS, UNAVAILABLE
from tau.seccomp_groups import ADDITIONS

SEED = b'{"id": "org.tauos.media", "permissions": ["network", "camera", "microphone", "filesystem:ro"]}'


def manifest(**keys: Any) -> bytes:
    return json.dumps({"id": "org.example.app", "permissions": [], **keys}).encode()


def good(data: bytes) -> Manifest:
    checked = check(data)
    assert checked.findings == []
    assert checked.manifest is not None
    return checked.manifest


def said(data: bytes) -> list[str]:
    checked = check(data)
    assert checked.manifest is None
    return [finding.text("m") for finding in checked.findings]


def test_the_seeds_own() -> None:
    assert good(SEED) == Manifest(
        id="org.tauos.media",
        permissions=("network", "camera", "microphone", "filesystem:ro"),
        name="org.tauos.media",
        version="0",
        summary="",
        command=("bin/media",),
        runtime="org.tauos.base/13",
        seccomp=(),
    )


def test_everything_stated() -> None:
    found = good(
        manifest(
            name="Ein Spieler",
            version="1.2",
            summary="Spielt Musik",
            permissions=["lan", "network"],
            command=["bin/app", "--flag", "ü"],
            runtime="org.tauos.base/13",
            seccomp=[{"allow": "ptrace", "reason": "It is a debugger."}],
        )
    )
    assert found.permissions == ("network", "lan")
    assert found.command == ("bin/app", "--flag", "ü")
    assert found.seccomp == (Addition("ptrace", "It is a debugger."),)


def test_all_findings_at_once_in_the_order_of_the_file() -> None:
    text = (
        b'{"id": "org.Example.app",\n "permissions": ["netwrok", "camera", "tor",\n  "camera", 3],\n'
        b' "nmae": "x", "seccomp": [{"allow": "ptrce"}],\n "command": ["../x"], "version": "01"}'
    )
    assert said(text) == [
        'm:1:8: id: is "org.Example.app"; expected a domain name backwards, like org.example.player: '
        'at least three parts of a-z, 0-9 and _, each of which begins with a letter; did you mean "org.example.app"?',
        'm:2:18: permissions[0]: "netwrok" is not a permission; did you mean "network"?',
        'm:2:39: permissions[2]: "tor" is not available on this system yet',
        'm:3:3: permissions[3]: "camera" is there twice',
        "m:3:13: permissions[4]: is a number; expected text",
        'm:4:2: "nmae" is not a known key; did you mean "name"?',
        'm:4:27: seccomp[0]: "reason" is missing',
        'm:4:37: seccomp[0].allow: "ptrce" is not what an app may add; did you mean "ptrace"?',
        'm:5:14: command[0]: is "../x"; expected the path of a program inside of the bundle, like bin/player',
        'm:5:34: version: is "01"; expected one to four numbers without leading zeros, like 1.2.0',
    ]


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"[]", "m:1:1: is a list; expected an object"),
        (b"null", "m:1:1: is null; expected an object"),
        (b"{}", 'm:1:1: "id" is missing'),
        (b'{"id": "org.example.app"}', 'm:1:1: "permissions" is missing'),
        (manifest(permissions="network"), 'permissions: is text; expected a list, like ["network"]'),
        (manifest(permissions={}), "permissions: is an object; expected a list"),
        (
            manifest(command="bin/app --show ü"),
            'command: is text; expected a list, like ["bin/app", "--show", "\\u00fc"]',
        ),
        (manifest(seccomp="ptrace"), "seccomp: is text; expected a list"),
        (
            manifest(permissions=["filesystem:ro:music"]),
            '"filesystem:ro:music" is not a permission; expected "filesystem:ro", for documents, downloads, music, '
            "pictures, videos together: there is none for music alone",
        ),
        (manifest(permissions=["flesystem:ro"]), 'did you mean "filesystem:ro"?'),
        (manifest(permissions=["filesystem:ro:documants"]), 'did you mean "filesystem:ro:documents"?'),
        (manifest(permissions=["x"] * 99), "has 99 items; expected at most"),
        (manifest(permissions=["zzz"]), '"zzz" is not a permission; expected one of network, lan, camera'),
        (manifest(id="org.example.a-b"), '_, each of which begins with a letter; did you mean "org.example.a_b"?'),
        (manifest(id="org.7zip.notes"), "like org.example.player: at least three parts of a-z, 0-9 and _, each of"),
        (manifest(id="org.example"), 'id: is "org.example"'),
        (manifest(id="org..example.app"), "id: is "),
        (manifest(id="org.exämple.app"), "id: is "),
        (manifest(id="org.example.app\n"), "holds a character that can't be shown"),
        (manifest(id=".".join(["a" * 60] * 3)), f"id: is longer than {MAX_ID} characters"),
        (manifest(id=True), "id: is true or false; expected text"),
        (manifest(name=""), "name: is empty"),
        (manifest(name="  "), "name: is empty"),
        (manifest(name="x" * 65), "name: has 65 characters; expected at most 64"),
        (manifest(name="a\u202eb"), 'name: "a\\u202eb" holds a character that can\'t be shown'),
        (manifest(name="a\x1b[2Jb"), 'name: "a\\x1b[2Jb" holds a character'),
        (manifest(summary="a\nb"), "summary: "),
        (manifest(version="1.2.3.4.5"), "version: is "),
        (manifest(version=1), 'version: is a number; expected text: "1"'),
        (manifest(version=1.5), 'version: is not a number that all readers agree about; write it as text: "1.5"'),
        (manifest(version=True), "version: is true or false; expected text"),
        (manifest(descripton="x"), '"descripton" is not a known key; did you mean "summary"?'),
        (manifest(title="x"), '"title" is not a known key; did you mean "name"?'),
        (
            manifest(seccomp=[{"allow": "ptrace", "reason": "x", "title": "y"}]),
            'seccomp[0]: "title" is not a known key; expected one of allow, reason',
        ),
        (manifest(command=[]), "command: is empty; expected a program"),
        (manifest(command=["/usr/bin/env"]), "command[0]: is "),
        (manifest(command=["bin/../x"]), "command[0]: is "),
        (manifest(command=["-x"]), "command[0]: is "),
        (manifest(command=["bin/app", ""]), "command[1]: is empty"),
        (manifest(command=["bin/app", "a\0b"]), "command[1]: "),
        (manifest(runtime="org.tauos.base/12"), 'did you mean "org.tauos.base/13"?'),
        (manifest(seccomp=[{"allow": "bpf", "reason": "x"}]), '"bpf" is not what an app may add; expected one of'),
        (manifest(seccomp=[{"allow": "ptrace", "reason": "x"}] * 2), 'seccomp[1].allow: "ptrace" is there twice'),
        (manifest(seccomp=["ptrace"]), 'seccomp[0]: is text; expected an object with "allow" and "reason"'),
        (
            b'{"id": "org.example.app", "id": "org.example.b", "permissions": []}',
            "m:1:27: id: is there twice; the first is in line 1",
        ),
    ],
)
def test_what_is_refused(data: bytes, finding: str) -> None:
    assert any(finding in text for text in said(data)), said(data)


def test_what_is_said_is_the_whole_of_it() -> None:
    """No hint where there is none, and one where there is."""
    assert said(manifest(id="org.7zip.notes"))[0].endswith("each of which begins with a letter")
    assert said(manifest(seccomp="ptrace"))[0].endswith("expected a list")
    (long,) = said(manifest(command="x " * 500))
    assert long.endswith("…") and len(long) < 120


def test_what_is_wrong_with_an_id_is_not_told_of_the_name() -> None:
    assert len(said(manifest(id=3))) == 1


@pytest.mark.parametrize("name", sorted(UNAVAILABLE))
def test_what_this_system_has_not_yet(name: str) -> None:
    assert said(manifest(permissions=[name])) == [
        f'm:1:43: permissions[0]: "{name}" is not available on this system yet'
    ]
    assert name not in PERMISSIONS


@pytest.mark.parametrize("name", PERMISSIONS)
def test_every_permission_can_be_asked_for(name: str) -> None:
    assert good(manifest(permissions=[name])).permissions == (name,)


@pytest.mark.parametrize("name", ADDITIONS)
def test_every_addition_can_be_asked_for(name: str) -> None:
    assert good(manifest(seccomp=[{"allow": name, "reason": "x"}])).seccomp == (Addition(name, "x"),)


@pytest.mark.parametrize(("older", "newer"), [("0", "1"), ("1.9", "1.10"), ("1.2", "1.2.0.1"), ("9", "10")])
def test_versions_are_compared_number_by_number(older: str, newer: str) -> None:
    assert good(manifest(version=older)).version_key < good(manifest(version=newer)).version_key
    assert good(manifest(version=older)).version_key == good(manifest(version=f"{older}.0")).version_key


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
_keys = st.sampled_from(["id", "permissions", "name", "version", "summary", "command", "runtime", "seccomp", "x"])


@given(st.dictionaries(_keys, _json))
def test_it_never_raises_and_what_it_takes_is_what_it_says(data: dict[str, Any]) -> None:
    checked = check(json.dumps({"id": "org.example.app", "permissions": [], **data}).encode())
    assert (checked.manifest is None) == bool(checked.findings)
    if checked.manifest:
        found = checked.manifest
        assert ID.fullmatch(found.id) and len(found.id) <= MAX_ID
        assert set(found.permissions) <= set(PERMISSIONS)
        assert all(text.isprintable() for text in (found.name, found.summary, *found.command))
        assert not found.command[0].startswith("/") and ".." not in found.command[0].split("/")


@given(st.text(max_size=80))
def test_an_id_is_safe_wherever_it_is_written(text: str) -> None:
    """It becomes the name of a unit, a folder and an AppArmor profile."""
    if ID.fullmatch(text):
        assert re.fullmatch(r"[a-z0-9_.]+", text)
        assert ".." not in text and not text.startswith(".") and text.count(".") >= 2


@given(st.text(max_size=30))
def test_a_finding_is_one_printable_line(text: str) -> None:
    for key in ("id", "name", "version", "runtime", text):
        for finding in check(manifest(**{key: text})).findings:
            assert finding.text(text).isprintable()
