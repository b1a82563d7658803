"""Build an image: the mkosi tree through mkosi, in a place of its own, and only then into dist/."""

import contextlib
import datetime
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from image import binfmt
from image.artefact import publish, read_record
from image.findings import fail
from image.mirrors import Mirrors
from image.mkosi import Mkosi
from image.mkosi_run import run_mkosi
from image.mkosi_tree import mkosi_tree
from image.paths import Paths
from image.plan import Plan
from image.progress import Progress, Step
from image.render import Rendered
from image.toolbox import Toolbox
from image.tools import ensure_tools
from image.tree import Tree, make_folder


@dataclass(frozen=True)
class Built:
    """A finished build: its plan, its files by suffix, and whether there was anything to do."""

    plan: Plan
    image: Path
    log: Path
    fresh: bool


def build(
    rendered: Rendered,
    *,
    paths: Paths,
    mirrors: Mirrors,
    mkosi: Callable[[], Mkosi],
    output: Path,
    progress: Progress,
) -> Built:
    """Build the image of `rendered` into the folder `output`.

    :param mkosi: asked for only when there is something to build: it may need the network.
    :raises FindingsError: when another build of the same image runs here, or any step fails. What was in `output`
        is then as it was.
    """
    plan = rendered.plan
    work = paths.build / plan.stem
    make_folder(work)
    with _only_build(work, plan.stem):
        tree = mkosi_tree(rendered, mirrors)
        fingerprint = _fingerprint(tree)
        record = read_record(plan, output)
        image, log = output / f"{plan.stem}.raw", output / f"{plan.stem}.build.log"
        if record is not None and record["fingerprint"] == fingerprint:
            return Built(plan, image, log, fresh=False)
        tool = mkosi()
        binfmt.ensure(plan.arch, paths, mirrors, progress)
        tools = ensure_tools(tool, mirrors, paths, progress)
        with progress.step("Rendering the mkosi tree") as step:
            tree.write(work / "mkosi")
            step.update(f"{len(tree.files)} files in {_short(work / 'mkosi')}")
        with progress.step(f"Building {plan.stem}") as step:
            folder = _run_mkosi(tool, tools.tree, plan, paths, work, step, work / "mkosi")
        with progress.step(f"Publishing to {_short(output)}/"):
            outputs = {
                "raw": folder / f"{plan.stem}.raw",
                "manifest.json": folder / f"{plan.stem}.manifest",
                "plan.json": folder / f"{plan.stem}.plan",
                "tools.txt": folder / "tools",
                "build.log": work / "build.log",
            }
            (folder / f"{plan.stem}.plan").write_text(plan.to_json())
            (folder / "tools").write_text(tools.packages())
            publish(plan, outputs, {"fingerprint": fingerprint, **_provenance(tool, mirrors)}, output)
            tool.remove_tree(folder)
    return Built(plan, image, log, fresh=True)


@dataclass(frozen=True)
class Base:
    """What the validators run in: the rendered tree, and the base layers of the image and of its initrd."""

    tree: Path
    root: Path
    initrd: Path
    toolbox: Toolbox


def ensure_base(rendered: Rendered, *, paths: Paths, mirrors: Mirrors, mkosi: Mkosi, progress: Progress) -> Base:
    """Return the base layers of `rendered`; have mkosi install its packages first where its cache lacks them.

    :raises FindingsError: as :func:`build` does.
    """
    plan = rendered.plan
    work = paths.build / plan.stem
    make_folder(work)
    binfmt.ensure(plan.arch, paths, mirrors, progress)
    tools = ensure_tools(mkosi, mirrors, paths, progress)
    with _only_build(work, plan.stem):
        tree = work / "lint"
        files = mkosi_tree(rendered, mirrors)
        files.add_text("nothing.build", "#!/bin/sh\n", 0o755)
        files.write(tree)
        with progress.step("Installing the packages of the base layer") as step:
            # Format "none" ends once the packages are in and cached and the build scripts have run; without one of
            # those mkosi does nothing at all. It knows by itself when the cache is stale.
            options = ("--format=none", "--build-script=nothing.build")
            _run_mkosi(mkosi, tools.tree, plan, paths, work, step, tree, *options)
    cache = _incremental(paths, plan)
    root, initrd = (next(cache.glob(f"*~{part}.cache"), None) for part in ("main", "default-initrd"))
    if root is None or initrd is None:
        raise fail(f"mkosi left no base layer in {cache}", hint="./inv clean --cache, then try again")
    return Base(tree, root, initrd, tools.toolbox)


def _incremental(paths: Paths, plan: Plan) -> Path:
    """mkosi's cache of installed packages for one image."""
    return paths.cache / "incremental" / plan.stem


@contextlib.contextmanager
def _only_build(work: Path, stem: str) -> Iterator[None]:
    try:
        with FileLock(work / "lock", timeout=0):
            yield
    except Timeout:
        hint = "wait for it, or build in another checkout"
        raise fail(f"another build of {stem} runs in this checkout", hint=hint) from None


def _run_mkosi(
    tool: Mkosi, tools_tree: Path, plan: Plan, paths: Paths, work: Path, step: Step, tree: Path, *options: str
) -> Path:
    output, workspace = work / "output", work / "workspace"
    log = work / "build.log"
    log.unlink(missing_ok=True)
    cache = _incremental(paths, plan)
    packages = paths.cache / "packages"
    tool.remove_tree(output)  # what an interrupted build left
    for folder in (output, cache, packages):
        make_folder(folder)
    arguments = [
        f"--tools-tree={tools_tree}",
        f"--output-directory={output}",
        f"--cache-directory={cache}",
        "--force",
        *options,
        "build",
    ]
    try:
        run_mkosi(tool, arguments, folder=tree, workspace=workspace, packages=packages, log=log, step=step)
    except BaseException:
        tool.remove_tree(output)
        raise
    return output


def _fingerprint(tree: Tree) -> str:
    """A digest of all that goes into the build and is known before it: every rendered file with its mode."""
    digest = hashlib.sha256()
    for path, file in sorted(tree.files.items()):
        digest.update(f"{path}\0{file.mode:o}\0{len(file.content)}\0".encode() + file.content)
    for path, target in sorted(tree.links.items()):
        digest.update(f"{path}\0->{target}\0".encode())
    for path, mode in sorted(tree.folder_modes.items()):
        digest.update(f"{path}\0{mode:o}\0".encode())
    return digest.hexdigest()


def _provenance(tool: Mkosi, mirrors: Mirrors) -> Mapping[str, Any]:
    return {
        "mkosi": {"version": tool.version, "sha256": tool.sha256},
        "built": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _short(path: Path) -> str:
    """A path as a person in the checkout would type it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("../..") else relative
