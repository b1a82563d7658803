"""What doctor tells, on hosts that lack something."""

import os
import shutil
from pathlib import Path

import pytest

from image import host, mkosi
from image.findings import FindingsError
from image.paths import Paths
from tests.host.conftest import Program


def fact(what: str, tmp_path: Path) -> host.Fact:
    paths = Paths(tmp_path / "cache", tmp_path / "build", tmp_path / "dist")
    return {each.what: each for each in host.facts(paths)}[what]


def test_every_lack_has_its_mend(tmp_path: Path) -> None:
    for each in host.facts(Paths(tmp_path / "cache", tmp_path / "build", tmp_path / "dist")):
        assert each.found
        assert each.mend or each.state == "ok", each


def test_namespaces_that_are_refused(tmp_path: Path, program: Program) -> None:
    assert fact("namespaces", tmp_path).state == "ok"
    program("unshare", "echo 'unshare failed: Operation not permitted' >&2; exit 1")
    assert fact("namespaces", tmp_path).state == "missing"


def test_no_archive(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAU_MIRROR", raising=False)
    program("apt-get", "exit 100")
    found = fact("package archive", tmp_path)
    assert found.state == "missing" and "TAU_MIRROR" in found.mend


def test_no_keys_of_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAU_MIRROR", "http://a.test/debian")
    monkeypatch.setattr(host, "KEYRING", tmp_path / "none.gpg")
    found = fact("package archive", tmp_path)
    assert found.state == "missing" and "debian-archive-keyring" in found.mend


def test_little_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "SPACE", 1 << 60)
    found = fact("disk space", tmp_path)
    assert found.state == "note" and "free" in found.mend


def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)  # nobody: on every host, without a range


def test_a_user_without_ids(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    program("newuidmap", "true")
    ordinary_user(monkeypatch)
    with pytest.raises(FindingsError, match=r"nobody has no range(.|\n)*usermod --add-subuids"):
        mkosi.user_namespace()


def test_a_user_without_newuidmap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    ordinary_user(monkeypatch)
    with pytest.raises(FindingsError, match=r"newuidmap is missing(.|\n)*uidmap"):
        mkosi.user_namespace()


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("other:100000:65536\nnobody:165536:65536\n", True),
        ("65534:165536:65536\n", True),
        ("nobody:165536:1000\n", False),
        ("nobodyelse:165536:65536\n", False),
        ("nobody:165536:\nnobody\n\n", False),
        ("", False),
    ],
)
def test_ranges(tmp_path: Path, text: str, has: bool) -> None:
    file = tmp_path / "subuid"
    file.write_text(text)
    assert mkosi._has_range(file, "nobody", 65534) is has
    assert not mkosi._has_range(tmp_path / "none", "nobody", 65534)
