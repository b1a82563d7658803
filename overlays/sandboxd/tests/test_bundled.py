"""What packages bring into a sample's folder: the files that are wanted, fetched once, the same bundle each time."""

import multiprocessing
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from image.debian import Archive
from image.findings import FindingsError, fail
from image.mirrors import Mirrors
from image.overlay import Architecture
from image.progress import Progress
from overlays.sandboxd.author import bundled
from overlays.sandboxd.author.bundled import LIST, Wanted, assemble, fetch, read_list
from overlays.sandboxd.author.samples import SAMPLES

#: What each package of the false archive holds: a link where its text begins with "->".
PACKAGES = {
    "play": {
        "usr/bin/play": "#!/bin/sh\necho plays\n",
        "usr/bin/other": "",
        "usr/share/doc/play/copyright": "terms of play",
        "usr/share/man/man1/play.1.gz": "",
    },
    "libplay1": {
        "usr/lib/x86_64-linux-gnu/libplay.so.1": "->libplay.so.1.2",
        "usr/lib/x86_64-linux-gnu/libplay.so.1.2": "library",
        "usr/lib/x86_64-linux-gnu/libplay/plugin.so": "",
        "usr/share/doc/libplay1/copyright": "terms of libplay",
    },
}


class FalseArchive(Archive):
    """An archive whose packages are made here; nothing of it is there when the file "offline" is."""

    folder: Path

    def update(self, progress: Progress) -> None:
        self._say("update")

    def versions(self, package: str) -> list[str]:
        return ["2", "1"] if package in PACKAGES else []

    def download(self, package: str, version: str) -> Path:
        self._say(f"{package} {version} {self._architecture}")
        return self.folder / f"{package}.deb"

    def _say(self, line: str) -> None:
        if (self.folder / "offline").exists():
            raise fail("fetching packages of trixie failed", hint="check the network")
        with (self.folder / "asked").open("a") as file:
            file.write(f"{line}\n")


def deb(folder: Path, package: str) -> None:
    """Make a package."""
    root = folder / package
    for path, text in PACKAGES[package].items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            file.symlink_to(text[2:])
        else:
            file.write_text(text)
            file.chmod(0o755 if file.parent.name == "bin" else 0o644)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN").chmod(0o755)  # dpkg-deb insists, whatever the umask
    (root / "DEBIAN/control").write_text(
        f"Package: {package}\nVersion: 2\nArchitecture: all\nMaintainer: T <t@t.test>\nDescription: {package}\n"
    )
    command = ["dpkg-deb", "--root-owner-group", "-b", str(root), str(folder / f"{package}.deb")]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the false archive."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for package in PACKAGES:
        deb(folder, package)
    monkeypatch.setattr(FalseArchive, "folder", folder, raising=False)
    monkeypatch.setattr(bundled, "Archive", FalseArchive)
    monkeypatch.setattr(bundled, "host_mirrors", lambda: Mirrors("http://127.0.0.1:1", "http://127.0.0.1:1"))
    return folder


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A sample that wants some of both packages."""
    folder = tmp_path / "sample"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/sample").write_text("#!/bin/sh\nexec play\n")
    (folder / "bin/sample").chmod(0o755)
    (folder / "manifest.tau").write_text('{"id": "org.example.sample", "permissions": []}')
    (folder / LIST).write_text("# for people\n\nplay /usr/bin/play\nlibplay1 /usr/lib/*/libplay.so.1*  # both\n")
    return folder


def content(folder: Path) -> dict[str, str]:
    """Every file of a folder with its text, and every link with where it leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"->{path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_text()
    return found


def test_what_is_wanted_and_the_terms(archive: Path, sample: Path, tmp_path: Path) -> None:
    target = tmp_path / "app"
    assemble(sample, target, "aarch64", tmp_path / "cache")
    own = content(sample)
    del own[LIST]
    assert content(target) == own | {
        "bin/play": PACKAGES["play"]["usr/bin/play"],
        "lib/libplay.so.1": "->libplay.so.1.2",
        "lib/libplay.so.1.2": "library",
        "share/doc/libplay1/copyright": "terms of libplay",
        "share/doc/play/copyright": "terms of play",
    }
    assert os.access(target / "bin/play", os.X_OK) and os.access(target / "bin/sample", os.X_OK)
    assert (archive / "asked").read_text().splitlines() == ["update", "play 2 aarch64", "libplay1 2 aarch64"]


def test_a_sample_without_packages_asks_nobody(archive: Path, sample: Path, tmp_path: Path) -> None:
    (sample / LIST).unlink()
    assemble(sample, tmp_path / "app", "x86_64", tmp_path / "cache")
    assert content(tmp_path / "app") == content(sample) and not (archive / "asked").exists()


def test_fetched_once_and_nothing_half_done(archive: Path, tmp_path: Path) -> None:
    (archive / "offline").touch()
    with pytest.raises(FindingsError, match="check the network"):
        fetch(("play", "libplay1"), "x86_64", tmp_path)
    (archive / "offline").unlink()
    with pytest.raises(FindingsError, match="trixie has no package played for x86_64"):
        fetch(("play", "played"), "x86_64", tmp_path)
    assert sorted(path.name for path in tmp_path.glob("sample-packages/x86_64/*,*")) == []
    first = fetch(("play", "libplay1"), "x86_64", tmp_path)
    (archive / "offline").touch()
    assert fetch(("libplay1", "play"), "x86_64", tmp_path) == first
    # Another architecture's are others.
    with pytest.raises(FindingsError):
        fetch(("play", "libplay1"), "aarch64", tmp_path)


def _fetch(cache: Path, architecture: Architecture) -> None:
    fetch(("play", "libplay1"), architecture, cache)


def test_several_at_once(archive: Path, tmp_path: Path) -> None:
    """As several processes of pytest's do: one fetches, the others wait for it."""
    context = multiprocessing.get_context("fork")  # with what is in the place of the archive
    processes = [context.Process(target=_fetch, args=(tmp_path, "x86_64")) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert (archive / "asked").read_text().splitlines().count("update") == 1


def test_files_that_no_package_holds(archive: Path, sample: Path, tmp_path: Path) -> None:
    (sample / LIST).write_text("libplay1 /usr/lib/*/libplay.so.2*\n")
    with pytest.raises(FindingsError, match=r"the package libplay1 holds no /usr/lib/\*/libplay\.so\.2\*"):
        assemble(sample, tmp_path / "app", "x86_64", tmp_path / "cache")


@pytest.mark.parametrize("line", ["play", "play usr/bin/play", "play /etc/play", "/usr/bin/play"])
def test_lines_that_are_none(line: str, tmp_path: Path) -> None:
    (tmp_path / LIST).write_text(f"# a list\n{line}\n")
    with pytest.raises(FindingsError, match=rf"{LIST}:2: .*names no files; expected a package"):
        read_list(tmp_path / LIST)


def test_the_lists_of_the_samples() -> None:
    lists = {path.parent.name: read_list(path) for path in SAMPLES.glob(f"*/{LIST}")}
    assert lists["org.tauos.media"][0] == Wanted("flac", ("usr/bin/flac",))


def test_the_same_bundle_each_time(
    archive: Path, sample: Path, pack: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    """From a cache that is fetched anew, too."""
    bundles = []
    for name in ("first", "second"):
        assemble(sample, tmp_path / name, "x86_64", tmp_path / "cache")
        bundles.append(pack(tmp_path / name, tmp_path / f"{name}.raw").read_bytes())
        shutil.rmtree(tmp_path / "cache")
    assert bundles[0] == bundles[1]
