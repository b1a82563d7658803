"""What the tests of the sandbox share with those of the build system (hypothesis' settings), and with each other."""

from collections.abc import Callable
from pathlib import Path

import pytest

import tests.conftest  # noqa: F401
from image.paths import Paths
from image.toolbox import Toolbox, is_built
from overlays.sandboxd.tests.tools import Tools
from tests.project import ROOT

#: An app whose folder is small, and whose program says what it is.
PROGRAM = '#!/bin/sh\necho "hello from $0"\n'


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The tools tree."""
    paths = Paths.of(ROOT)
    if not is_built(paths.cache):
        pytest.skip("the tools tree is not built yet")
    return Tools(Toolbox.load(paths.cache))


@pytest.fixture(scope="session")
def signer(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An author's key and certificate."""
    return tools.key(tmp_path_factory.mktemp("signer"), "author")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app's folder, which can be packed as it is."""
    folder = tmp_path / "app"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/app").write_text(PROGRAM)
    (folder / "bin/app").chmod(0o700)
    (folder / "manifest.tau").write_text('{"id": "org.example.app", "permissions": ["network"], "version": "1.2"}')
    return folder


@pytest.fixture
def pack(tools: Tools, signer: tuple[Path, Path]) -> Callable[[Path, Path], Path]:
    """Pack an app's folder into a file."""

    def packed(folder: Path, target: Path) -> Path:
        key, certificate = signer
        done = tools.tau("pack", folder, "--key", key, "--certificate", certificate, "--output", target)
        assert done.returncode == 0, done.stderr
        return target

    return packed
