"""An archive that fails, as this host's real apt sees it: one message that says what, and nothing of it is used."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from image import indexes, mirrors, mkosi_fetch
from image.debian import ARCHITECTURES, Archive
from image.findings import FindingsError
from image.mirrors import Mirrors
from image.paths import Paths
from image.progress import Progress
from tests.host.mirror import Fault, Mirror, SignedArchive, of_folder
from tests.project import ROOT

CONTROL = "Package: mkosi\nVersion: 27.1-1\nArchitecture: all\nMaintainer: T <t@t.test>\nDescription: mkosi\n"
DAY = 86400
LOCK = {"suite": "forky", "package": "mkosi", "range": "27.", "known": {"version": "27.2-1", "sha256": "0" * 64}}
OPTIONS = 'Acquire::Retries "0";\nAcquire::http::Timeout "2";\n'


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedArchive]:
    root = tmp_path_factory.mktemp("deb")
    packages = root / "root/usr/lib/python3/dist-packages"
    (packages / "mkosi").mkdir(parents=True)
    (packages / "mkosi/__main__.py").write_text("print('mkosi')\n" * 500)
    (packages / "mkosi-27.1.dist-info").mkdir()
    (root / "root/DEBIAN").mkdir(mode=0o755)
    (root / "root/DEBIAN/control").write_text(CONTROL)
    deb = root / "mkosi.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root / "root", deb], check=True, capture_output=True)
    made = SignedArchive(tmp_path_factory.mktemp("signed") / "archive", deb)
    yield made
    made.close()


@pytest.fixture
def mirror(signed: SignedArchive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(mirrors, "KEYRING", signed.keyring)
    with of_folder(signed.folder).serving() as made:
        yield made


def archive(mirror: Mirror, tmp_path: Path) -> Archive:
    return Archive(tmp_path / "apt", Mirrors(mirror.uri, mirror.uri, OPTIONS), "forky")


def quiet() -> Progress:
    return Progress(Console(quiet=True))


def test_a_whole_archive(mirror: Mirror, tmp_path: Path) -> None:
    """Control: without a fault everything below works."""
    made = archive(mirror, tmp_path)
    made.update(quiet())
    assert made.versions("mkosi") == ["27.1-1"]
    assert made.needed("mkosi") == {"mkosi": "27.1-1"}
    assert made.download("mkosi", "27.1-1").is_file()


def test_packages_of_another_architecture(
    mirror: Mirror, signed: SignedArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those, and not the host's: the index and the versions are of the architecture that is asked for."""
    (other,) = [name for name, debian in ARCHITECTURES.items() if debian != signed.architecture]
    foreign = ARCHITECTURES[other]
    control = CONTROL.replace("all", foreign).replace("27.1-1", "27.1-1+b2")
    (tmp_path / "root/DEBIAN").mkdir(parents=True)
    (tmp_path / "root/DEBIAN").chmod(0o755)  # dpkg-deb insists, whatever the umask
    (tmp_path / "root/DEBIAN/control").write_text(control)
    folder = signed.folder / "foreign"
    folder.mkdir()
    deb = folder / "foreign.deb"
    subprocess.run(["dpkg-deb", "-b", tmp_path / "root", deb], check=True, capture_output=True)
    content = deb.read_bytes()
    stanza = f"Filename: deb\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
    monkeypatch.setattr(signed, "architecture", foreign)
    monkeypatch.setattr(signed, "folder", folder)
    (folder / "deb").write_bytes(content)
    signed.release("forky", control + stanza)
    for suite in ("forky-updates", "forky-security"):
        signed.release(suite, "")
    there = Mirrors(f"{mirror.uri}/foreign", f"{mirror.uri}/foreign", OPTIONS)
    made = Archive(tmp_path / "apt", there, "forky", other)
    made.update(quiet())
    assert made.versions("mkosi") == ["27.1-1+b2"]
    assert made.download("mkosi", "27.1-1+b2").name == f"mkosi_27.1-1+b2_{foreign}.deb"
    indexes_asked = [path for path in mirror.asked if "/binary-" in path]
    assert indexes_asked and all(f"/binary-{foreign}/" in path for path in indexes_asked)


@pytest.mark.parametrize(
    ("path", "fault", "said"),
    [
        ("/forky/(In)?Release$", "missing", "404"),
        ("/forky/InRelease", "half", "signed|signature|split"),
        ("/forky/InRelease", "portal", "forky InRelease"),
        ("/forky/InRelease", "flipped", "BADSIG|not signed|manipulated"),
        ("/forky/InRelease", "trouble", "503"),
        ("/forky/InRelease", "cut", "forky InRelease"),
        ("/forky/InRelease", "silent", "127.0.0.1.*(failed|timed out|timeout)"),
        ("/forky-security/InRelease", "missing", "forky-security"),
        ("/forky/main/.*Packages", "missing", "Packages"),
        ("/forky/main/.*Packages", "half", "unexpected size|Hash Sum"),
        ("/forky/main/.*Packages", "portal", "unexpected size|Hash Sum"),
        ("/forky/main/.*Packages", "flipped", "Hash Sum|hash"),
        (".", "portal", "InRelease"),
    ],
)
def test_an_index(mirror: Mirror, tmp_path: Path, path: str, fault: Fault, said: str) -> None:
    mirror.faults[path] = fault
    with pytest.raises(
        FindingsError, match=rf"fetching packages of forky: apt-get update failed(.|\n)*({said})"
    ) as caught:
        archive(mirror, tmp_path).update(quiet())
    assert len(caught.value.findings) == 1 and str(caught.value).endswith("check the network and the mirror (--mirror)")


@pytest.mark.parametrize("fault", ["missing", "half", "cut", "portal", "flipped", "trouble", "silent"])
def test_a_package(mirror: Mirror, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mkosi_fetch, "lock_data", lambda: LOCK)
    mirror.faults[r"\.deb"] = fault
    paths = Paths(tmp_path / "cache", tmp_path / "build", tmp_path / "dist")
    found = Mirrors(mirror.uri, mirror.uri, OPTIONS)
    with pytest.raises(
        FindingsError, match=r"apt-get download failed(.|\n)*127.0.0.1:[0-9]+ forky/main .* mkosi"
    ) as caught:
        mkosi_fetch.ensure_mkosi(paths, found, "", quiet())
    assert len(caught.value.findings) == 1
    assert sorted(path.name for path in (tmp_path / "cache/mkosi-package").iterdir()) == ["apt", "lock"]
    mirror.faults.clear()
    assert mkosi_fetch.ensure_mkosi(paths, found, "", quiet()).version == "27.1"  # nothing of it was kept


def test_an_index_that_is_out_of_date(
    mirror: Mirror, signed: SignedArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replayed by somebody who keeps newer packages from us. A host may be told not to mind: one line says so."""
    now = time.time()
    kept = signed.folder / "kept"
    (signed.folder / "dists").rename(kept)
    try:
        signed.release("forky", "", now - 40.5 * DAY, now - 30 * DAY)
        signed.release("forky-updates", "", now - 9.5 * DAY, now - 2 * DAY)
        signed.release("forky-security", "", now, now + DAY)
        monkeypatch.setattr(indexes, "checks_valid_until", lambda: True)
        with pytest.raises(FindingsError) as caught:
            archive(mirror, tmp_path).update(quiet())
        said = str(caught.value)
        assert re.search(
            r"out of date: forky of 20..-..-.. \(40 days old, valid until .*; forky-updates of .*\(9 days", said
        )
        assert "security" not in said and "--mirror" in said
        monkeypatch.setattr(indexes, "checks_valid_until", lambda: False)
        told = io.StringIO()
        archive(mirror, tmp_path).update(Progress(Console(file=told)))
        assert re.fullmatch(r"note: .* forky of .*40 days old.* forky-updates of .*Valid-Until\n", told.getvalue())
    finally:
        shutil.rmtree(signed.folder / "dists")
        kept.rename(signed.folder / "dists")


def test_no_hook_of_this_host_is_run(mirror: Mirror, signed: SignedArchive, tmp_path: Path) -> None:
    """/etc/apt belongs to the host's own apt: its hooks may be slow, need root, or tell a desktop."""
    hooks = tmp_path / "apt.conf.d"
    hooks.mkdir()
    (tmp_path / "control/lists/partial").mkdir(parents=True)
    (hooks / "99hook").write_text(f'APT::Update::Pre-Invoke {{ "touch {tmp_path}/ran"; }};\n')
    program = f"""
from pathlib import Path
from rich.console import Console
from image import mirrors
from image.debian import ARCHITECTURES, Archive
from image.progress import Progress
mirrors.KEYRING = Path({str(signed.keyring)!r})
found = mirrors.Mirrors({mirror.uri!r}, {mirror.uri!r}, {OPTIONS!r})
Archive(Path({str(tmp_path / "apt")!r}), found, "forky").update(Progress(Console(quiet=True)))
"""
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    laid = ["unshare", *mapped, "--mount", "sh", "-c", 'mount --bind "$0" /etc/apt/apt.conf.d && exec "$@"', str(hooks)]
    control = ["apt-get", "update", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts=/dev/null"]
    subprocess.run([*laid, *control, "-o", f"Dir::State={tmp_path}/control"], capture_output=True, check=False)
    if not (tmp_path / "ran").exists():
        pytest.skip("this host lets nobody lay a folder over /etc/apt/apt.conf.d")
    (tmp_path / "ran").unlink()
    subprocess.run([*laid, sys.executable, "-c", program], cwd=ROOT, check=True)
    assert not (tmp_path / "ran").exists()
