"""./inv with input that is broken or meant to harm: one message that names the place, and nothing is left behind."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.host import checkout
from tests.host.checkout import STEM, Checkout

#: Root without its power to read and write everything: what a mode forbids is forbidden. No other user has it anyway.
POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()


@pytest.fixture
def made(tmp_path: Path) -> Checkout:
    made = checkout.make(tmp_path / "checkout")
    checkout.put_image(made.dist)
    return made


def refused(made: Checkout, *arguments: str, prefix: tuple[str, ...] = (), lines: int = 3) -> str:
    """Run ./inv, which must refuse its input; returns the message."""
    dist = checkout.content(made.dist)
    status, said = made.run(*arguments, prefix=prefix)
    assert status == 1, said
    assert "Traceback" not in said
    message = said.strip()
    assert 1 <= len(message.splitlines()) <= lines, message
    assert message.replace("\n", "").isprintable()
    assert checkout.content(made.dist) == dist
    assert not [path for path in made.root.rglob("*.new") if path.name != ".venv.new"]
    return message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"overlays: [\n", "recipes/small.yaml:2: is not valid YAML"),
        (b"title: Small\n\toverlays: []\n", "recipes/small.yaml:2: is not valid YAML"),
        (b"\x00\x01\x02", "recipes/small.yaml:1: holds a NUL"),
        (b"title: \xff\xfe\n", "recipes/small.yaml:1: is not UTF-8"),
        (b"", "recipes/small.yaml:1: has no keys"),
        (b"<html><body>404</body></html>\n", "recipes/small.yaml:1: has no keys"),
        (b"<<<<<<< HEAD\ntitle: A\n=======\ntitle: B\n>>>>>>> b\n", "recipes/small.yaml:"),
        (b"title: !!python/object/apply:os.system [touch owned]\n", "has the tag"),
        (b'title: S\nversion: "1/../../x"\ndate: "2026-01-02"\n', "recipes/small.yaml:2: version: '1/../../x'"),
        (b'title: "S\\e[31m"\nversion: "1"\ndate: "2026-01-02"\n', "recipes/small.yaml:1: title"),
        (b'title: S\nversion: "1"\ndate: "2026-01-02"\nextends: ../small\n', "recipes/small.yaml:4: extends"),
    ],
)
def test_a_broken_recipe(made: Checkout, content: bytes, said: str) -> None:
    (made.root / "recipes/small.yaml").write_bytes(content)
    assert said in refused(made, "build", "--recipe", "small", lines=9)
    assert not (made.root / "owned").exists() and not (made.root / "build").exists()


@pytest.mark.parametrize("name", ["../recipes/small", "small\n", "\x1b[2J", "ѕmall", "small\u202e"])
def test_hostile_names_of_a_recipe(made: Checkout, name: str) -> None:
    message = refused(made, "build", "--recipe", name)
    assert "no recipe" in message and "\u202e" not in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--arch", "../x86_64"), "--arch ../x86_64: no such architecture"),
        (("--set", "small.x=\n--force"), "the overlay 'small' has no options"),
        (("--set", "../small.x=1"), "is not in the recipe"),
        (("--overlay-path", "no\nsuch"), "no\\nsuch: is not a folder of overlays"),
        (("--mirror", "http://a.test/\nTrusted: yes"), "is not the URI of an archive"),
        (("--mkosi", "/etc\x1b[2J"), "/etc\\x1b[2J: holds no mkosi"),
        (("--output", "inv/below"), "Not a directory"),
        (("--output", "inv"), "inv: can't be written: File exists"),
        (("--output", "o" * 300), "can't be written: File name too long"),
        (("--output", "/proc/none"), "/proc/none: can't be written"),
    ],
)
def test_hostile_arguments(made: Checkout, arguments: tuple[str, str], said: str) -> None:
    assert said in refused(made, "build", "--recipe", "small", *arguments)


def test_hostile_names_of_files(made: Checkout) -> None:
    names = ["a\nb", "a\x1b[31mb", "a b", "а", "a'b;id", "a\u202eb", "$(id)"]
    folder = made.root / "overlays/small/root/etc"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    message = refused(made, "build", "--recipe", "small", lines=len(names))
    assert message.count("has a name that is no path of an image") == len(names) and "a\\u202eb" in message


def test_names_of_folders_are_shown_never_obeyed(made: Checkout) -> None:
    names = ["x[red]y", "x\ny", "x\x1b[2Jy"]
    for name in names:
        folder = made.root / "overlays" / name
        folder.mkdir()
        (folder / "overlay.yaml").write_text("title: '[bold]T'\ndescription: D\n")
    status, said = made.run("overlays")
    assert status == 0 and said.count("[bold]T") == len(names)
    assert "x[red]y" in said and "x\\ny" in said and "\x1b" not in said


@pytest.mark.parametrize(
    "path",
    [
        "recipes/small.yaml",
        "overlays",
        "overlays/small",
        "overlays/small/overlay.yaml",
        "overlays/small/root",
        "overlays/small/root/etc",
        "overlays/small/root/etc/plain",
        "overlays/small/root/etc/template.j2",
        "overlays/small/finalize.chroot",
    ],
)
def test_what_can_not_be_read(made: Checkout, path: str) -> None:
    (made.root / "overlays/small/root/etc").mkdir(parents=True)
    for name in ("root/etc/plain", "root/etc/template.j2", "finalize.chroot"):
        (made.root / "overlays/small" / name).touch()
    file = made.root / path
    mode = file.stat().st_mode
    file.chmod(0)
    try:
        message = refused(made, "build", "--recipe", "small", prefix=POWERLESS)
    finally:
        file.chmod(mode)
    assert str(file) in message and "Permission denied" in message


@pytest.mark.parametrize("path", ["dist", "build", "cache/tau"])
def test_what_can_not_be_written(made: Checkout, path: str) -> None:
    folder = made.root / path
    folder.mkdir(exist_ok=True)
    if path == "cache/tau":
        for name in ("mkosi-package", "tools", "packages"):
            (folder / name).unlink(missing_ok=True)
    folder.chmod(0o555)
    try:
        message = refused(made, "build", "--recipe", "small", prefix=POWERLESS)
    finally:
        folder.chmod(0o755)
    assert str(folder) in message and "Permission denied" in message


def test_an_overlay_that_nobody_names_may_be_unreadable(made: Checkout) -> None:
    """A file system's lost+found beside overlays."""
    (made.root / "overlays/lost+found").mkdir(mode=0o700)
    (made.root / "overlays/lost+found").chmod(0)
    status, said = made.run("render", "--recipe", "small", prefix=POWERLESS)
    (made.root / "overlays/lost+found").chmod(0o755)
    assert status == 0, said
    assert (made.root / "build" / STEM / "mkosi/mkosi.conf").is_file()


def test_the_tests_of_modes_would_notice(made: Checkout) -> None:
    """Control: without the prefix root reads everything, and these tests would show nothing."""
    file = made.root / "secret"
    file.write_text("x")
    file.chmod(0)
    done = subprocess.run([*POWERLESS, "cat", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "Permission denied" in done.stderr
