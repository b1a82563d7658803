"""What apt's lists say: the day of each index, and the hash of every package of the manifest."""

import io
import json
import time
from pathlib import Path

import pytest
from rich.console import Console

from image import indexes
from image.findings import FindingsError
from image.indexes import Index, package_hashes, read_indexes, refuse_stale
from image.manifest import write_manifest
from image.progress import Progress

RELEASE = """-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Origin: Debian
Suite: stable-updates
Codename: trixie-updates
Date: Mon, 23 Nov 2026 02:09:33 UTC
{}SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855        0 main/binary-amd64/Packages
"""
PACKAGES = """Package: bash
Version: 5.2-1
Architecture: amd64
Description: a shell
 SHA256: not this
SHA256: {0}

Package: bash
Version: 5.2-1
Architecture: i386
SHA256: {1}

Package: bash-completion
Version: 5.2-1
Architecture: amd64
SHA256: {1}

Package: bash
Version: 5.1-1
Architecture: amd64
SHA256: {1}

Package: tzdata
Version: 2026a-1
Architecture: all
SHA256: {2}
"""
HASHES = ["a" * 64, "b" * 64, "c" * 64]


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    folder.mkdir()
    base = "archive.test_debian_dists_trixie-updates"
    (folder / f"{base}_InRelease").write_text(RELEASE.format("Valid-Until: Mon, 30 Nov 2026 02:09:33 UTC\n"))
    (folder / "archive.test_debian_dists_trixie_InRelease").write_text(RELEASE.format(""))
    (folder / f"{base}_main_binary-amd64_Packages").write_text(PACKAGES.format(*HASHES))
    (folder / "partial").mkdir()
    return folder


def test_the_day_of_each_index(lists: Path) -> None:
    assert read_indexes(lists) == [
        Index("trixie", "2026-11-23T02:09:33+00:00", None),
        Index("trixie-updates", "2026-11-23T02:09:33+00:00", "2026-11-30T02:09:33+00:00"),
    ]
    assert read_indexes(lists / "none") == []


@pytest.mark.parametrize("date", ["", "Date: tomorrow\n"])
def test_an_index_without_a_date(lists: Path, date: str) -> None:
    """Nothing could be said of its age: it must not pass for a fresh one."""
    file = lists / "archive.test_debian_dists_trixie_InRelease"
    file.write_text(RELEASE.replace("Date: Mon, 23 Nov 2026 02:09:33 UTC\n", date))
    with pytest.raises(FindingsError, match="index of trixie has no date"):
        read_indexes(lists)


def test_out_of_date_by_the_second(lists: Path) -> None:
    released, updates = read_indexes(lists)
    end = 1796004573  # 2026-11-30T02:09:33Z
    assert not updates.stale(end) and updates.stale(end + 1)
    assert not released.stale(end + 10 * 365 * 86400)


@pytest.mark.parametrize("checked", [True, False])
def test_what_is_said_of_an_old_index(monkeypatch: pytest.MonkeyPatch, lists: Path, checked: bool) -> None:
    monkeypatch.setattr(indexes, "checks_valid_until", lambda: checked)
    monkeypatch.setattr(time, "time", lambda: 1796004573.0 + 5 * 86400)
    told = io.StringIO()
    words = r"trixie-updates of 2026-11-23 \(12 days old, valid until 2026-11-30\)"
    if checked:
        with pytest.raises(FindingsError, match=words):
            refuse_stale(read_indexes(lists), Progress(Console(file=told)))
    else:
        refuse_stale(read_indexes(lists), Progress(Console(file=told)))
        assert "trixie-updates of 2026-11-23 (12 days old" in told.getvalue() and told.getvalue().count("\n") == 1
    assert "trixie of" not in told.getvalue()


def test_the_hash_of_the_very_package(lists: Path) -> None:
    """Of this name, this version and this architecture, and no other."""
    bash, tzdata = ("bash", "5.2-1", "amd64"), ("tzdata", "2026a-1", "all")
    found = package_hashes(lists, [bash, tzdata, ("bash", "5.3-1", "amd64"), ("zsh", "1", "amd64")])
    assert found == {bash: HASHES[0], tzdata: HASHES[2]}


def test_the_manifest(lists: Path, tmp_path: Path) -> None:
    initrd = tmp_path / "initrd"
    (initrd / "var/lib/dpkg").mkdir(parents=True)
    (initrd / "var/lib/dpkg/status").write_text(
        "Package: tzdata\nStatus: install ok installed\nInstalled-Size: 3\nArchitecture: all\nVersion: 2026a-1\n"
        "Conffiles:\n /etc/x 0123\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
    )
    manifest = tmp_path / "manifest"
    ours = {"type": "deb", "name": "ours", "version": "1", "architecture": "all", "size": 1}
    bash = {"type": "deb", "name": "bash", "version": "5.2-1", "architecture": "amd64", "size": 1}
    manifest.write_text(json.dumps({"manifest_version": 1, "packages": [bash, ours]}))
    told = io.StringIO()
    write_manifest(manifest, initrd, lists, Progress(Console(file=told)))
    assert json.loads(manifest.read_text()) == {
        "manifest_version": 1,
        "packages": [{**bash, "sha256": HASHES[0]}, {**ours, "sha256": None}],
        "initrd_packages": [
            {
                "type": "deb",
                "name": "tzdata",
                "version": "2026a-1",
                "architecture": "all",
                "size": 3072,
                "sha256": HASHES[2],
            }
        ],
    }
    assert "no index of the archive lists ours:" in told.getvalue().replace("\n", " ")
