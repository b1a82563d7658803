"""Finding, fetching and verifying mkosi: from archives of the test's own, with this host's apt and with a false one."""

import functools
import hashlib
import http.server
import io
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from rich.console import Console

from image import mkosi_fetch
from image.debian import Archive, unpack
from image.findings import FindingsError
from image.mirrors import Mirrors
from image.mkosi import Mkosi
from image.paths import Paths
from image.progress import Progress
from tests.host.conftest import Program

NOWHERE = Mirrors("http://127.0.0.1:1/debian", "http://127.0.0.1:1/debian-security", 'Acquire::Retries "0";\n')
#: apt as the code calls it; FOLDER has the packages, and the index that an update brings.
APT = """
for word; do
    case $word in
    Dir::State::lists=*) lists=${word#*=} ;;
    update | download | madison) verb=$word ;;
    mkosi=*) version=${word#*=} ;;
    esac
done
[ -e FOLDER/offline ] && { echo 'E: no route to host' >&2; exit 100; }
echo "$verb $version" >>FOLDER/asked
case $verb in
update) cp FOLDER/InRelease "$lists/archive_dists_forky_InRelease" ;;
download) cp FOLDER/mkosi_"$version"_all.deb . ;;
madison) sed "s,.*, mkosi | & | http://archive forky/main amd64 Packages," FOLDER/versions ;;
esac
"""


class Shelf:
    """What the false archive has, and the build system's view of it."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = tmp_path / "archive"
        self.folder.mkdir()
        self.paths = Paths(tmp_path / "cache", tmp_path / "build", tmp_path / "dist")
        self.said = io.StringIO()
        self.lock = {"suite": "forky", "package": "mkosi", "range": "27.", "known": {"version": "27.1-1", "sha256": ""}}
        monkeypatch.setattr(mkosi_fetch, "lock_data", lambda: self.lock)
        self.index_until(time.time() + 86400)

    def index_until(self, seconds: float) -> None:
        (self.folder / "InRelease").write_text(
            f"Suite: testing\nDate: {formatdate(seconds - 7 * 86400)}\nValid-Until: {formatdate(seconds)}\n"
        )

    def has(self, *versions: str) -> None:
        (self.folder / "versions").write_text("\n".join(versions))
        for version in versions:
            self.deb(version)

    def deb(self, version: str) -> Path:
        root = self.folder / f"root-{version}"
        packages = root / "usr/lib/python3/dist-packages"
        (packages / "mkosi").mkdir(parents=True)
        (packages / "mkosi" / "__main__.py").write_text("print('mkosi')\n")
        (packages / f"mkosi-{version.partition('-')[0]}.dist-info").mkdir()
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN").chmod(0o755)  # dpkg-deb insists, whatever the umask
        (root / "DEBIAN/control").write_text(
            f"Package: mkosi\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@t.test>\nDescription: mkosi\n"
        )
        file = self.folder / f"mkosi_{version}_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, file], check=True, capture_output=True)
        return file

    def knows(self, version: str) -> None:
        digest = hashlib.sha256((self.folder / f"mkosi_{version}_all.deb").read_bytes()).hexdigest()
        self.lock["known"] = {"version": version, "sha256": digest}

    def fetch(self, override: str = "") -> Mkosi:
        progress = Progress(Console(file=self.said))
        return mkosi_fetch.ensure_mkosi(self.paths, NOWHERE, override, progress)

    def offline(self) -> None:
        (self.folder / "offline").touch()

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()

    def nothing_half_done(self) -> bool:
        return not [path for path in (self.paths.cache / "mkosi-package").glob("*") if path.name not in ("apt", "lock")]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program) -> Shelf:
    made = Shelf(tmp_path, monkeypatch)
    for name in ("apt-get", "apt-cache"):
        program(name, APT.replace("FOLDER", str(made.folder)))
    program("apt-config", "true")
    return made


def test_the_known_version(shelf: Shelf) -> None:
    shelf.has("27.2-1", "27.1-1")
    shelf.knows("27.1-1")
    found = shelf.fetch()
    assert (found.version, found.sha256) == ("27.1", shelf.lock["known"]["sha256"])  # type: ignore[index]
    assert (found.path / "mkosi/__main__.py").is_file()
    assert "note" not in shelf.said.getvalue()
    asked = len(shelf.asked)
    shelf.offline()
    assert shelf.fetch() == found
    assert len(shelf.asked) == asked  # from the cache, the archive is left alone


def test_another_version_of_the_range_with_a_word_about_it(shelf: Shelf) -> None:
    shelf.has("28-1", "27.3-1", "27.2-1")
    found = shelf.fetch()
    assert found.version == "27.3"
    assert found.sha256 == hashlib.sha256((shelf.folder / "mkosi_27.3-1_all.deb").read_bytes()).hexdigest()
    notes = [line for line in shelf.said.getvalue().splitlines() if line.startswith("note:")]
    assert len(notes) == 1 and "27.3" in notes[0] and "27.1-1" in notes[0]


def test_a_substitute_serves_without_a_network(shelf: Shelf) -> None:
    shelf.has("27.3-1")
    found = shelf.fetch()
    shelf.offline()
    assert shelf.fetch() == found
    assert "the cache's mkosi serves" in shelf.said.getvalue()


def test_a_known_version_replaces_its_substitute(shelf: Shelf) -> None:
    shelf.has("27.3-1")
    shelf.fetch()
    shelf.has("27.4-1")
    shelf.knows("27.4-1")
    assert shelf.fetch().version == "27.4"


@pytest.mark.parametrize("versions", [(), ("28-1", "26-1", "2.27.1-1")])
def test_none_of_the_range(shelf: Shelf, versions: tuple[str, ...]) -> None:
    shelf.has(*versions)
    with pytest.raises(FindingsError) as caught:
        shelf.fetch()
    for word in (*versions, "27.*", "--mkosi"):
        assert word in str(caught.value)
    assert shelf.nothing_half_done()


def test_the_known_version_with_another_hash(shelf: Shelf) -> None:
    shelf.has("27.1-1")
    shelf.lock["known"] = {"version": "27.1-1", "sha256": "0" * 64}
    with pytest.raises(FindingsError, match=r"has the SHA-256 .* and not 0000"):
        shelf.fetch()
    assert shelf.nothing_half_done()


def test_a_damaged_package(shelf: Shelf) -> None:
    shelf.has("27.2-1")
    file = shelf.folder / "mkosi_27.2-1_all.deb"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(FindingsError, match="can't be unpacked"):
        shelf.fetch()
    assert shelf.nothing_half_done()


def test_an_index_that_is_out_of_date(shelf: Shelf, program: Program) -> None:
    shelf.has("27.1-1")
    shelf.knows("27.1-1")
    shelf.index_until(time.time() - 60)
    with pytest.raises(FindingsError, match=r"index is out of date: forky of .*7 days old"):
        shelf.fetch()
    assert not any(line.startswith("download") for line in shelf.asked)
    program("apt-config", "echo 'Acquire::Check-Valid-Until \"false\";'")  # a host with a frozen archive says so
    assert shelf.fetch().version == "27.1"
    assert "forky of" in shelf.said.getvalue()


def test_no_network_and_nothing_fetched(shelf: Shelf) -> None:
    shelf.offline()
    with pytest.raises(FindingsError, match=r"update failed(.|\n)*no route to host"):
        shelf.fetch()


def test_a_mkosi_of_ones_own(shelf: Shelf, tmp_path: Path) -> None:
    shelf.has("27.9-1")
    own = tmp_path / "own"
    unpack(shelf.folder / "mkosi_27.9-1_all.deb", own)
    found = shelf.fetch(str(own / "usr/lib/python3/dist-packages"))
    assert (found.version, found.sha256) == ("27.9", "none: --mkosi")
    with pytest.raises(FindingsError, match=r"holds no mkosi/__main__.py"):
        shelf.fetch(str(own))


def test_unpacking_replaces_the_whole(shelf: Shelf, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "old").mkdir(parents=True)
    unpack(shelf.deb("27.1-1"), target)
    assert [path.name for path in target.iterdir()] == ["usr"]
    bad = tmp_path / "bad.deb"
    bad.write_bytes(b"no package")
    with pytest.raises(FindingsError):
        unpack(bad, target)
    assert [path.name for path in target.iterdir()] == ["usr"]  # as it was


@pytest.fixture
def unsigned(tmp_path: Path) -> Iterator[Mirrors]:
    """An archive on loopback whose indexes nobody has signed."""
    for suite in ("forky", "forky-updates", "forky-security"):
        folder = tmp_path / "www" / "dists" / suite
        folder.mkdir(parents=True)
        release = (
            f"Origin: Debian\nSuite: {suite}\nCodename: {suite}\nDate: {formatdate(time.time())}\nComponents: main\n"
        )
        (folder / "Release").write_text(release)
        (folder / "InRelease").write_text(release)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "www")
    handler.func.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Mirrors(
            f"http://127.0.0.1:{server.server_port}", f"http://127.0.0.1:{server.server_port}", NOWHERE.options
        )
        server.shutdown()
        thread.join()


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")
def test_apt_refuses_an_archive_that_is_not_signed(unsigned: Mirrors, tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match=r"(?i)forky.*(\n.*)*(not signed|NODATA|Clearsigned)"):
        Archive(tmp_path / "state", unsigned, "forky").update(Progress(Console(file=io.StringIO())))


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")
def test_apt_with_an_archive_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match=r"update failed(.|\n)*127.0.0.1(.|\n)*--mirror"):
        Archive(tmp_path / "state", NOWHERE, "forky").update(Progress(Console(file=io.StringIO())))
