"""``./inv samples``: bundles of one author's, for whoever wants to try the system."""

import shutil
from pathlib import Path

import pytest

from image.findings import FindingsError
from image.paths import Paths
from image.progress import Progress
from overlays.sandboxd.author import samples
from overlays.sandboxd.author.tools import Tools
from tests.project import ROOT


@pytest.fixture(autouse=True)
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched: what the samples lack is put in the place of Debian's packages."""

    def copied(sample: Path, target: Path, architecture: str, cache: Path) -> None:
        shutil.copytree(sample, target, ignore=shutil.ignore_patterns("packages.txt"))

    monkeypatch.setattr(samples, "assemble", copied)


def packed(folder: Path) -> dict[str, bytes]:
    samples.pack("x86_64", folder / "author", folder / "out", Paths.of(ROOT).cache, Progress())
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def test_each_is_packed_and_the_author_stays_the_same(tools: Tools, tmp_path: Path) -> None:
    first = packed(tmp_path)
    assert sorted(first) == [f"org.tauos.{name}_x86_64.raw" for name in ("camera", "fetch", "media")]
    key = (tmp_path / "author/author.key").read_bytes()
    assert packed(tmp_path) == first and (tmp_path / "author/author.key").read_bytes() == key
    assert sorted(path.name for path in (tmp_path / "author").iterdir()) == ["author.crt", "author.key"]


def test_what_can_not_be_packed_is_told(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "samples/org.example.bad"
    bad.mkdir(parents=True)
    (bad / "manifest.tau").write_text("{}")
    monkeypatch.setattr(samples, "SAMPLES", tmp_path / "samples")
    with pytest.raises(FindingsError, match=r"can't be packed"):
        packed(tmp_path)
    assert list((tmp_path / "out").iterdir()) == []
