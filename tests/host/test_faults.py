"""./inv on a host that fails it before anything is built: no network, no room, no tools, an interrupt."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.host import checkout
from tests.host.checkout import Checkout
from tests.host.filesystem import on_small_disk
from tests.host.left import Left
from tests.host.mirror import Mirror


@pytest.fixture
def made(tmp_path: Path) -> Checkout:
    """A checkout with an empty cache, and an image in dist/."""
    made = checkout.make(tmp_path / "checkout")
    for path in made.cache.iterdir():
        path.unlink()
    checkout.put_image(made.dist)
    return made


@pytest.fixture
def silent() -> Iterator[Mirror]:
    """An archive that takes every request and never answers."""
    mirror = Mirror(lambda _: None)
    mirror.faults["."] = "silent"
    with mirror.serving():
        yield mirror


def without_network(tmp_path: Path) -> tuple[str, ...]:
    prefix = ("unshare", "--user", "--map-current-user", "--net")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this host makes no network namespace for us")
    return prefix


def test_no_network(made: Checkout, tmp_path: Path) -> None:
    before = checkout.content(made.dist)
    status, said = made.run(
        "build", "--recipe", "small", "--mirror", "http://archive.test/debian", prefix=without_network(tmp_path)
    )
    assert status == 1 and "Traceback" not in said
    assert said.count("fetching packages of forky: apt-get update failed") == 1
    assert "archive.test" in said and said.strip().endswith("check the network and the mirror (--mirror)")
    assert checkout.content(made.dist) == before


@pytest.mark.parametrize("what", ["dist", "build", "cache"])
def test_a_full_disk(made: Checkout, what: Literal["dist", "build", "cache"]) -> None:
    """Nothing answers at this address: a build that got as far as the network would say so."""
    if what == "build":
        checkout.share_tools(made)
    folder = {"dist": made.dist, "build": made.root / "build", "cache": made.cache.parent}[what]
    with on_small_disk(folder, 256) as disk:
        disk.fill()
        before = disk.content()
        arguments = ("build", "--recipe", "small", "--mirror", "http://127.0.0.1:1/debian")
        status, said = made.run(*arguments, prefix=disk.prefix)
        assert status == 1 and "Traceback" not in said
        assert "No space left on device" in said and str(folder) in said
        if what == "dist":
            assert disk.content() == before


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_stop_while_mkosi_is_fetched(made: Checkout, silent: Mirror, name: Literal["INT", "TERM"]) -> None:
    before, left = checkout.content(made.dist), Left(made.root)
    running = made.build("--mirror", f"{silent.uri}/debian")
    running.wait_for("Fetching mkosi")
    while not silent.asked:
        assert running.process.poll() is None, running.said()
    running.stop(name)
    status, said = running.wait()
    assert status == {"INT": 130, "TERM": 143}[name], said
    assert said.endswith("nothing in dist/ was changed\n\ninterrupted\n") and "Traceback" not in said
    assert checkout.content(made.dist) == before and left.behind() == []


@pytest.mark.parametrize("task", [("boot",), ("test",)])
def test_an_image_from_elsewhere_needs_the_tools(made: Checkout, task: tuple[str, ...], tmp_path: Path) -> None:
    """Somebody has only downloaded an image: the tools are made first, instead of a word that they are not there."""
    image = tmp_path / "tau.raw"
    assert "tau.raw: there is no such image" in made.run(*task, "--image", str(image))[1]
    image.write_bytes(bytes(4096))
    environment = {"TAU_MIRROR": "http://127.0.0.1:1/debian"}
    status, said = made.run(*task, "--image", str(image), env=environment)
    assert status == 1 and "Fetching mkosi" in said and "127.0.0.1" in said
    checkout.share_tools(made)
    status, said = made.run(*task, "--image", str(image), env=environment)
    assert status == 1 and "is no image of Tau OS" in said and "Fetching" not in said


def test_a_port_that_nobody_listens_on() -> None:
    """Control: the address that stands for an archive which can't be reached."""
    with socket.socket() as made, pytest.raises(ConnectionRefusedError):
        made.connect(("127.0.0.1", 1))
