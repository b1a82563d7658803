"""lint runs mkosi when what its base layers are made of has changed, and only then."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from image.build import base_layers
from image.mirrors import Mirrors
from image.mkosi import Mkosi
from image.paths import Paths
from image.progress import Progress
from image.toolbox import Toolbox
from image.tools import Tools
from image.workplace import Workplace
from tests.project import Project

MIRRORS = Mirrors("http://127.0.0.1:1/debian", "http://127.0.0.1:1/security")
RECIPE = 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a]\n'


class Lint:
    """Asks for the base layers as ./inv lint does, with a mkosi that leaves what mkosi leaves, and counts its runs."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project = project
        self.runs = 0
        self.mirrors = MIRRORS
        self.mkosi = Mkosi(project.root, "27.1", "0" * 64, project.root / "cache")
        self.cache = project.root / "cache/incremental/r_1_x86_64"
        toolbox = Toolbox(Path("/usr/bin/python3"), project.root, project.root)

        def prepare(place: Workplace, mkosi: Mkosi) -> Tools:
            place.cache.mkdir(parents=True, exist_ok=True)
            return Tools(project.root, toolbox)

        monkeypatch.setattr(Workplace, "prepare", prepare)
        monkeypatch.setattr(Workplace, "run", lambda *_: self.ran())

    def ran(self) -> Path:
        self.runs += 1
        for part in ("main", "default-initrd"):
            layer = self.cache / f"debian~trixie~x86-64~{part}.cache"
            if not layer.exists():
                layer.mkdir()
                layer.with_suffix(".manifest").write_text("{}")
        return self.project.root / "output"

    def __call__(self) -> int:
        """Ask once more; returns how often mkosi has run for it."""
        before = self.runs
        root = self.project.root
        paths = Paths(root / "cache", root / "build", root / "dist")
        progress = Progress(Console(quiet=True))
        rendered = self.project.rendered()
        with base_layers(rendered, paths=paths, mirrors=self.mirrors, mkosi=self.mkosi, progress=progress) as base:
            assert (base.root.name, base.initrd.name) == (
                "debian~trixie~x86-64~main.cache",
                "debian~trixie~x86-64~default-initrd.cache",
            )
            assert (base.tree / "mkosi.conf").is_file()
        return self.runs - before


@pytest.fixture
def lint(project: Project, monkeypatch: pytest.MonkeyPatch) -> Lint:
    project.overlay("a", "packages: [one]", {"root/etc/f": "1", "finalize.chroot": "true"})
    made = Lint(project, monkeypatch)
    assert (made(), made()) == (1, 0)
    return made


def test_a_file_of_an_overlay_changes(project: Project, lint: Lint) -> None:
    project.overlay("a", "packages: [one]", {"root/etc/f": "2", "initrd/etc/g": "", "finalize.chroot": "false"})
    assert (lint(), lint()) == (0, 0)


@pytest.mark.parametrize("overlay", ["packages: [one, two]", "initrd_packages: [two]\npackages: [one]"])
def test_packages_change(project: Project, lint: Lint, overlay: str) -> None:
    project.overlay("a", overlay)
    assert (lint(), lint()) == (1, 0)


def test_the_archive_changes(lint: Lint) -> None:
    lint.mirrors = Mirrors("http://127.0.0.1:2/debian", "http://127.0.0.1:1/security")
    assert (lint(), lint()) == (1, 0)


@pytest.mark.parametrize("changed", [{"version": "27.2"}, {"sha256": "1" * 64}])
def test_mkosi_changes(lint: Lint, changed: dict[str, str]) -> None:
    lint.mkosi = replace(lint.mkosi, **changed)  # type: ignore[arg-type]
    assert (lint(), lint()) == (1, 0)


@pytest.mark.parametrize("part", ["main", "default-initrd"])
@pytest.mark.parametrize("what", ["cache", "manifest"])
def test_another_build_has_replaced_a_layer(lint: Lint, part: str, what: str) -> None:
    """With packages of its own: of another branch's recipe, which has the same name."""
    layer = lint.cache / f"debian~trixie~x86-64~{part}.{what}"
    if what == "cache":
        layer.rename(lint.cache / "old")  # keeps its inode in use
        layer.mkdir()
    else:
        layer.write_text('{"packages": ["two"]}')
    assert (lint(), lint()) == (1, 0)


@pytest.mark.parametrize("part", ["main", "default-initrd"])
def test_a_layer_is_gone(lint: Lint, part: str) -> None:
    (lint.cache / f"debian~trixie~x86-64~{part}.cache").rmdir()
    assert (lint(), lint()) == (1, 0)
