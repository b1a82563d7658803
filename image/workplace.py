"""Where one image is worked on: its folder in the checkout, its share of the cache, the tools; one at a time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from image import binfmt
from image.findings import fail
from image.indexes import read_indexes, refuse_stale
from image.mirrors import Mirrors
from image.mkosi import Mkosi
from image.mkosi_run import run_mkosi
from image.paths import Paths
from image.plan import Plan
from image.progress import Progress, Step
from image.tools import Tools, ensure_tools
from image.tree import make_folder

#: In an image's share of the cache: what its base layers were made of.
_NOTE = "base-layers"


class Workplace:
    """Made by :func:`workplace`.

    :param folder: for what is written on the way.
    :param cache: mkosi's cache of installed packages for this image. Every checkout of this user shares it.
    """

    def __init__(self, plan: Plan, paths: Paths, mirrors: Mirrors, progress: Progress) -> None:
        self.folder = paths.build / plan.stem
        self.cache = paths.cache / "incremental" / plan.stem
        self.log = self.folder / "build.log"
        self._plan = plan
        self._paths = paths
        self._mirrors = mirrors
        self._progress = progress
        self._stack = contextlib.ExitStack()

    def prepare(self, mkosi: Mkosi) -> Tools:
        """Get the tools, and the image's share of the cache, for as long as the workplace is held.

        :raises FindingsError: when the tools can't be had, or this host can't run programs of the image.
        """
        binfmt.ensure(self._plan.arch, self._paths, self._mirrors, self._progress)
        tools = ensure_tools(mkosi, self._mirrors, self._paths, self._progress)
        make_folder(self.cache)
        lock = FileLock(self.cache.with_name(f"{self.cache.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            with self._progress.step(f"Waiting for another checkout that builds {self._plan.stem}"):
                lock.acquire()
        self._stack.callback(lock.release)
        return tools

    def run(self, mkosi: Mkosi, tools: Tools, tree: Path, step: Step, *options: str) -> Path:
        """Run mkosi on the configuration `tree` and return the folder with what it made.

        :raises FindingsError: when it fails, or the archive's indexes that it has fetched are out of date.
        """
        output, packages = self.folder / "output", self._paths.cache / "packages"
        self.log.unlink(missing_ok=True)
        mkosi.remove_tree(output)  # what an interrupted build left
        make_folder(output)
        arguments = [
            f"--tools-tree={tools.tree}",
            f"--output-directory={output}",
            f"--cache-directory={self.cache}",
            "--force",
            *options,
            "build",
        ]
        try:
            run_mkosi(
                mkosi,
                arguments,
                folder=tree,
                workspace=self.folder / "workspace",
                packages=packages,
                log=self.log,
                step=step,
                fetched=lambda: refuse_stale(read_indexes(self.lists()), self._progress),
            )
        except BaseException:
            mkosi.remove_tree(output)
            raise
        return output

    def lists(self) -> Path:
        """apt's lists from which the image's packages were installed."""
        return next(self.cache.glob("*~main.metadata.cache"), self.cache) / "lib" / "apt" / "lists"

    def base(self, part: str) -> Path:
        """Return the base layer of a part (``main``, ``default-initrd``): its packages and none of our files.

        :raises FindingsError: when mkosi has left none.
        """
        found = next(self.cache.glob(f"*~{part}.cache"), None)
        if found is None:
            raise fail(f"mkosi left no base layer in {self.cache}", hint="./inv clean --cache, then try again")
        return found

    def holds_base(self, ingredients: str) -> bool:
        """Whether the base layers are those that were made of `ingredients`, and mkosi has made no others since."""
        noted = self.cache / _NOTE
        return noted.is_file() and noted.read_text() == self._identity(ingredients)

    def note_base(self, ingredients: str) -> None:
        """Note what the base layers that mkosi has left were made of."""
        (self.cache / _NOTE).write_text(self._identity(ingredients) or "")

    def _identity(self, ingredients: str) -> str | None:
        """`ingredients`, and which layers there are; None when one is missing.

        mkosi never changes a layer: it removes it, makes another, and writes its manifest when it is complete.
        """
        lines = [ingredients]
        for part in ("main", "default-initrd"):
            layer = next(self.cache.glob(f"*~{part}.cache"), None)
            manifest = next(self.cache.glob(f"*~{part}.manifest"), None)
            if layer is None or manifest is None:
                return None
            lines += [f"{layer.name} {layer.stat().st_ino}", f"{manifest.name} {manifest.stat().st_mtime_ns}"]
        return "\n".join(lines)

    def indexes(self) -> list[dict[str, Any]]:
        """Of which day the indexes are from which the image's packages were installed, as plain data."""
        return [index.record() for index in read_indexes(self.lists())]

    def close(self) -> None:
        """Give the cache back."""
        self._stack.close()


@contextlib.contextmanager
def workplace(plan: Plan, paths: Paths, mirrors: Mirrors, progress: Progress) -> Iterator[Workplace]:
    """Hold the workplace of an image until the block has ended.

    :raises FindingsError: at once, when another build of the same image runs in this checkout.
    """
    made = Workplace(plan, paths, mirrors, progress)
    make_folder(made.folder)
    lock = FileLock(made.folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        hint = "wait for it, or build in another checkout"
        raise fail(f"another build of {plan.stem} runs in this checkout", hint=hint) from None
    try:
        yield made
    finally:
        made.close()
        lock.release()
