"""The tools tree is changed under nobody's feet: whoever started with one goes on with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from image import tools
from image.findings import FindingsError
from image.mirrors import Mirrors
from image.mkosi import Mkosi
from image.paths import Paths
from image.progress import Progress
from image.toolbox import Toolbox, is_built
from tests.project import ROOT

#: Loads the newest tree, says which, and keeps it until its input ends.
HOLDER = """
import sys
from pathlib import Path
from image.toolbox import Toolbox
print(Toolbox.load(Path(sys.argv[1])).tree, flush=True)
sys.stdin.read()
"""
#: Has the tree of a version of mkosi, and ends.
BUILDER = """
import sys
from pathlib import Path
from image.paths import Paths
from tests.host import test_tools
test_tools.tools.run_mkosi = test_tools.run_no_mkosi
test_tools.ensure(Paths(*map(Path, sys.argv[2:])), sys.argv[1])
"""


def run_no_mkosi(*_: object, folder: Path, **__: object) -> None:
    """A tree that takes no minute: what mkosi leaves, without mkosi."""
    (folder / "mkosi.tools" / "usr").mkdir(parents=True)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "cache", tmp_path / "build", tmp_path / "dist")


@pytest.fixture(autouse=True)
def _builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "run_mkosi", run_no_mkosi)


def ensure(paths: Paths, version: str) -> Path:
    mkosi = Mkosi(ROOT / "image", version, "0" * 64, paths.cache)
    return tools.ensure_tools(mkosi, Mirrors("http://127.0.0.1:1/", "http://127.0.0.1:1/"), paths, Progress()).tree


def ensure_elsewhere(paths: Paths, version: str) -> None:
    """In a process that has ended when this returns, and holds nothing any more."""
    folders = (str(paths.cache), str(paths.build), str(paths.dist))
    subprocess.run([sys.executable, "-c", BUILDER, version, *folders], cwd=ROOT, check=True, capture_output=True)


def test_a_tree_is_built_once_and_known_again(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_built(paths.cache)
    with pytest.raises(FindingsError, match="not built yet"):
        Toolbox.load(paths.cache)
    tree = ensure(paths, "1")
    monkeypatch.delattr(tools, "run_mkosi")
    assert ensure(paths, "1") == tree == Toolbox.load(paths.cache).tree
    assert is_built(paths.cache)


def test_whoever_started_with_a_tree_keeps_it(paths: Paths) -> None:
    ensure_elsewhere(paths, "1")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(paths.cache)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        old = Path(holder.stdout.readline().strip())
        ensure_elsewhere(paths, "2")
        new = Toolbox.load(paths.cache).tree
        assert new != old and (new / "usr").is_dir() and (old / "usr").is_dir()
        holder.communicate("")
    ensure_elsewhere(paths, "2")
    assert (new / "usr").is_dir() and not old.parent.exists()
