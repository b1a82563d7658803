"""The tools tree: a Debian forky with mkosi's own tools, QEMU, firmware and the validators' friends, in the cache."""

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from image.indexes import Index, read_indexes, refuse_stale
from image.mirrors import Mirrors
from image.mkosi import Mkosi
from image.mkosi_run import run_mkosi
from image.mkosi_tree import TEMPLATES, add_sources
from image.paths import Paths
from image.progress import Progress
from image.templating import render_text
from image.toolbox import CURRENT, PYTHON_PATH, TREE, TREES, Toolbox, hold, is_held
from image.tree import Tree, make_folder

#: Beside the tree: the dates of the indexes from which it was installed. mkosi keeps no lists of a tools tree.
_INDEXES = "indexes.json"


@dataclass(frozen=True)
class Tools:
    """A built tools tree and the way to run its programs."""

    tree: Path
    toolbox: Toolbox

    def packages(self) -> str:
        """Return its packages, one ``NAME VERSION`` a line, by its own package database."""
        query = ["dpkg-query", f"--admindir={self.tree}/var/lib/dpkg", "-W", "-f", "${Package} ${Version}\\n"]
        return subprocess.run(query, check=True, stdout=subprocess.PIPE, text=True).stdout

    def indexes(self) -> list[dict[str, Any]]:
        """Of which day the archive's indexes were from which it was installed, as plain data."""
        found: list[dict[str, Any]] = json.loads((self.tree.parent / _INDEXES).read_text())
        return found


def ensure_tools(mkosi: Mkosi, mirrors: Mirrors, paths: Paths, progress: Progress) -> Tools:
    """Return the tools tree; build it first when there is none of its recipe.

    Each recipe's tree has a folder of its own and ``current`` points to the newest: machines go on running from the
    one that they were started from. An older one is removed once nobody holds it.

    :raises FindingsError: when it can't be built.
    """
    folder = paths.cache / "tools"
    make_folder(folder / TREES)
    tree = Tree()
    tree.add_text("mkosi.conf", render_text(TEMPLATES / "tools.conf.j2", {}))
    add_sources(tree, "mkosi.tools.sandbox", mirrors, "forky")
    recipe = hashlib.sha256(tree.files["mkosi.conf"].content + mkosi.version.encode()).hexdigest()
    place = folder / TREES / recipe[:16]
    with FileLock(folder / "lock"):
        if not (place / _INDEXES).is_file():
            with progress.step("Building the tools tree (once)") as step:
                tree.write(folder / "mkosi")
                indexes: list[Index] = []

                def fetched() -> None:
                    """The lists are in the workspace, and gone with it."""
                    for lists in (folder / "workspace").glob("mkosi-metadata-*/lib/apt/lists"):
                        indexes.extend(read_indexes(lists))
                    refuse_stale(indexes, progress)

                # "box" needs the tools tree and --force builds it; nothing else is built.
                run_mkosi(
                    mkosi,
                    ["--force", "box", "true"],
                    folder=folder / "mkosi",
                    workspace=folder / "workspace",
                    packages=paths.cache / "packages",
                    log=folder / "build.log",
                    step=step,
                    fetched=fetched,
                )
                mkosi.remove_tree(place)  # what an interrupted build left
                make_folder(place)
                (folder / "mkosi" / "mkosi.tools").rename(place / TREE)
                # Last: with it the folder is whole.
                (place / _INDEXES).write_text(json.dumps([index.record() for index in indexes], indent=1) + "\n")
        _link(place / PYTHON_PATH, mkosi.path.resolve())
        _link(folder / CURRENT, place.relative_to(folder))
        hold(place)
        for other in (folder / TREES).iterdir():
            if other != place and not is_held(other):
                mkosi.remove_tree(other)
    return Tools(place / TREE, mkosi.toolbox(place / TREE))


def _link(link: Path, target: Path) -> None:
    """Point to `target` at once. Machines look the links up (Toolbox.load) while they are changed."""
    if not link.is_symlink() or link.readlink() != target:
        beside = link.with_name(f".{link.name}.{os.getpid()}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(target)
        beside.rename(link)
