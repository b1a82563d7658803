"""A real build that is stopped in each of its phases, meets another one, or is failed by its archive or its disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from image.mirrors import host_mirrors
from image.toolbox import is_built
from tests.host import checkout
from tests.host.checkout import STEM, Checkout
from tests.host.filesystem import on_small_disk
from tests.host.left import Left
from tests.host.mirror import PORTAL, Fault, Mirror, of_archives

pytestmark = [pytest.mark.build, pytest.mark.xdist_group("build")]

#: Exit status by signal: 128 and its number.
STATUS: dict[Literal["INT", "TERM"], int] = {"INT": 130, "TERM": 143}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose packages are not installed yet. Each test goes on from where the one before was stopped."""
    made = checkout.make(tmp_path_factory.mktemp("build") / "checkout")
    checkout.share_tools(made)
    yield made
    checkout.remove(made)


def stopped(made: Checkout, name: Literal["INT", "TERM"], text: str, file: Path | None, *arguments: str) -> None:
    """Start a build, stop it once `text` is in `file` or was said, and look at what it leaves."""
    before, left = checkout.put_image(made.dist), Left(made.root)
    made.change()
    if file is not None:
        file.unlink(missing_ok=True)  # of the build before
    running = made.build(*arguments)
    running.wait_for(text, file)
    running.stop(name)
    status, said = running.wait()
    assert status == STATUS[name], said
    assert said.endswith("nothing in dist/ was changed\n\ninterrupted\n") and "Traceback" not in said
    assert checkout.content(made.dist) == before
    assert left.behind() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("INT", "‣ Syncing package manager metadata\n"),
        ("TERM", "‣ [default-initrd]  Installing Debian"),
        ("INT", "\nUnpacking linux-image-6"),
        ("TERM", "‣ [main]  Generating disk image"),
        ("INT", "‣ [main]  Formatting ESP"),
    ],
)
def test_stopped_while_mkosi_builds(made: Checkout, name: Literal["INT", "TERM"], text: str) -> None:
    stopped(made, name, text, made.log)


def test_two_at_once(made: Checkout, tmp_path: Path) -> None:
    """The second is told at once; one in another checkout waits for the cache that they share."""
    before, left = checkout.put_image(made.dist), Left(made.root)
    made.change()
    made.log.unlink(missing_ok=True)
    first = made.build()
    first.wait_for("‣ [main]", made.log)
    status, said = made.build().wait()
    assert status == 1 and said.strip().splitlines()[0] == f"another build of {STEM} runs in this checkout"
    other = checkout.make(tmp_path / "other")
    waiting = other.build(env={"XDG_CACHE_HOME": str(made.cache.parent)})
    waiting.wait_for("Waiting for another checkout")
    waiting.stop("INT")
    assert waiting.wait()[0] == STATUS["INT"]
    assert first.process.poll() is None
    first.stop("TERM")
    assert first.wait()[0] == STATUS["TERM"]
    assert checkout.content(made.dist) == before and left.behind() == []


def test_stopped_while_it_is_published(made: Checkout) -> None:
    stopped(made, "TERM", "Publishing to dist/", None)


def test_what_a_whole_build_leaves(made: Checkout) -> None:
    """Control: nothing that the tests before have stopped has harmed the next build; and nothing but dist/ is left."""
    left = Left(made.root)
    checkout.put_image(made.dist)
    made.change()
    status, said = made.build().wait()
    assert status == 0, said
    assert left.behind() == []
    checkout.is_whole(made.dist)
    status, said = made.build().wait()
    assert status == 0 and "nothing has changed" in said


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_stopped_while_the_tools_are_built(tmp_path: Path, name: Literal["INT", "TERM"]) -> None:
    made = checkout.make(tmp_path / "checkout")
    (made.cache / "tools").unlink()
    text = {"INT": "‣ Syncing package manager metadata\n", "TERM": "\nUnpacking "}[name]
    stopped(made, name, text, made.cache / "tools" / "build.log")
    assert not is_built(made.cache)


@pytest.fixture
def archives() -> Iterator[Mirror]:
    """The archives of this host, through a server that can fail."""
    found = host_mirrors()
    with of_archives({"debian": found.main, "security": found.security}).serving() as made:
        yield made


@pytest.mark.parametrize(
    ("path", "fault", "said"),
    [
        ("trixie-security/(In)?Release$", "missing", "404"),
        (".", "portal", "InRelease"),
        (r"/pool/.*\.deb", "flipped", "Hash Sum mismatch"),
    ],
)
def test_an_archive_that_fails(tmp_path: Path, archives: Mirror, path: str, fault: Fault, said: str) -> None:
    made = checkout.make(tmp_path / "checkout")
    checkout.share_tools(made)
    (made.cache / "packages").unlink()
    before, left = checkout.put_image(made.dist), Left(made.root)
    archives.faults[path] = fault
    arguments = ("--mirror", f"{archives.uri}/debian")
    status, message = made.build(*arguments, env={"TAU_SECURITY_MIRROR": f"{archives.uri}/security"}).wait()
    assert status == 1 and "Traceback" not in message and PORTAL.decode() not in message
    assert f"building {STEM} failed" in message and said in message and f"full log: {made.log}" in message
    assert message.count("\n") < 20 and "apt-get -o" not in message
    assert checkout.content(made.dist) == before and left.behind() == []


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    made = checkout.make(tmp_path / "checkout")
    checkout.share_tools(made)
    before, left = checkout.put_image(made.dist), Left(made.root)
    with on_small_disk(made.root / "build", 40 << 10) as disk:
        status, said = made.build(prefix=disk.prefix).wait()
        assert status == 1 and "No space left on device" in said and "Traceback" not in said
        assert said.count("\n") < 20 and "--path-exclude" not in said
    assert checkout.content(made.dist) == before and left.behind() == []
