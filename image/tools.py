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
from image.render import render_text
from image.toolbox import Toolbox
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


def tools_tree_path(paths: Paths) -> Path:
    """Where the tools tree is, or will be."""
    return paths.cache / "tools" / "mkosi.tools"


def ensure_tools(mkosi: Mkosi, mirrors: Mirrors, paths: Paths, progress: Progress) -> Tools:
    """Return the tools tree; build it first when it is not there or its recipe has changed.

    :raises FindingsError: when it can't be built.
    """
    folder = paths.cache / "tools"
    make_folder(folder)
    tree = Tree()
    tree.add_text("mkosi.conf", render_text(TEMPLATES / "tools.conf.j2", {}))
    add_sources(tree, "mkosi.tools.sandbox", mirrors, "forky")
    wanted = hashlib.sha256(tree.files["mkosi.conf"].content + mkosi.version.encode()).hexdigest()
    stamp, built, dates = folder / "stamp", tools_tree_path(paths), folder / _INDEXES
    with FileLock(folder / "lock"):
        if not (stamp.is_file() and stamp.read_text() == wanted and built.is_dir() and dates.is_file()):
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
                # The old tree serves until the new one is there: machines may run from it.
                stamp.unlink(missing_ok=True)
                mkosi.remove_tree(built)
                (folder / "mkosi" / "mkosi.tools").rename(built)
                dates.write_text(json.dumps([index.record() for index in indexes], indent=1) + "\n")
            stamp.write_text(wanted)
    _link(folder / "python", mkosi.path.resolve())
    return Tools(built, mkosi.toolbox(built))


def _link(link: Path, target: Path) -> None:
    """Point to the mkosi that goes with the tree. Machines look it up (Toolbox.load) while it is changed."""
    if not link.is_symlink() or link.readlink() != target:
        beside = link.with_name(f".{link.name}.{os.getpid()}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(target)
        beside.rename(link)
