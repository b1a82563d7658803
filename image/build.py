"""Build an image: the mkosi tree through mkosi, in a place of its own, and only then into dist/."""

import contextlib
import datetime
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from image.artefact import check_folder, publish, read_record
from image.manifest import write_manifest
from image.mirrors import Mirrors
from image.mkosi import Mkosi
from image.mkosi_tree import mkosi_tree
from image.paths import Paths
from image.plan import Plan
from image.process import Interrupted
from image.progress import Progress
from image.render import Rendered
from image.toolbox import Toolbox
from image.tree import Tree
from image.workplace import workplace


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
    with workplace(plan, paths, mirrors, progress) as place:
        tree = mkosi_tree(rendered, mirrors)
        fingerprint = _fingerprint(tree)
        image, log = output / f"{plan.stem}.raw", output / f"{plan.stem}.build.log"
        if _is_built(plan, output, fingerprint):
            return Built(plan, image, log, fresh=False)
        check_folder(output)
        try:
            tool = mkosi()
            tools = place.prepare(tool)
            with progress.step("Rendering the mkosi tree") as step:
                tree.write(place.folder / "mkosi")
                step.update(f"{len(tree.files)} files in {_short(place.folder / 'mkosi')}")
            with progress.step(f"Building {plan.stem}") as step:
                made = place.run(tool, tools, place.folder / "mkosi", step)
            place.note_base(_ingredients(tree, tool))
            try:
                with progress.step(f"Publishing to {_short(output)}/"):
                    outputs = {
                        "raw": made / f"{plan.stem}.raw",
                        "manifest.json": made / f"{plan.stem}.manifest",
                        "plan.json": made / f"{plan.stem}.plan",
                        "tools.txt": made / "tools",
                        "build.log": place.log,
                    }
                    (made / f"{plan.stem}.plan").write_text(plan.to_json())
                    (made / "tools").write_text(tools.packages())
                    write_manifest(outputs["manifest.json"], place.base("default-initrd"), place.lists(), progress)
                    record = {
                        "fingerprint": fingerprint,
                        "built": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                        "mkosi": {"version": tool.version, "sha256": tool.sha256},
                        "indexes": {"image": place.indexes(), "tools": tools.indexes()},
                    }
                    publish(plan, outputs, record, output, known={"raw": _checksum(made, outputs["raw"].name)})
            finally:
                tool.remove_tree(made)
        except (KeyboardInterrupt, Interrupted):
            if not _is_built(plan, output, fingerprint):
                progress.note(f"nothing in {_short(output)}/ was changed")
            raise
    return Built(plan, image, log, fresh=True)


@dataclass(frozen=True)
class Base:
    """What the validators run in: the rendered tree, and the base layers of the image and of its initrd."""

    tree: Path
    root: Path
    initrd: Path
    toolbox: Toolbox


@contextlib.contextmanager
def base_layers(
    rendered: Rendered, *, paths: Paths, mirrors: Mirrors, mkosi: Mkosi, progress: Progress
) -> Iterator[Base]:
    """Hold the base layers of `rendered`; have mkosi install its packages first where its cache lacks them.

    :raises FindingsError: as :func:`build` does.
    """
    with workplace(rendered.plan, paths, mirrors, progress) as place:
        tools = place.prepare(mkosi)
        tree = place.folder / "lint"
        files = mkosi_tree(rendered, mirrors)
        ingredients = _ingredients(files, mkosi)
        files.add_text("nothing.build", "#!/bin/sh\n", 0o755)
        files.write(tree)
        if not place.holds_base(ingredients):
            with progress.step("Installing the packages of the base layer") as step:
                # Format "none" ends once the packages are in and cached and the build scripts have run; without one of
                # those mkosi does nothing at all. It knows by itself when the cache is stale, but copies all of it and
                # packs an initrd before it ends: a minute.
                made = place.run(mkosi, tools, tree, step, "--format=none", "--build-script=nothing.build")
                mkosi.remove_tree(made)
            place.note_base(ingredients)
        yield Base(tree, place.base("main"), place.base("default-initrd"), tools.toolbox)


def _is_built(plan: Plan, output: Path, fingerprint: str) -> bool:
    record = read_record(plan, output)
    return record is not None and record["fingerprint"] == fingerprint


def _checksum(made: Path, name: str) -> str:
    """The SHA-256 that mkosi took of one of its outputs (mkosi(1), "Checksum=")."""
    lines = (line.split(" *", 1) for line in (made / f"{Path(name).stem}.SHA256SUMS").read_text().splitlines())
    return next(digest for digest, of in lines if of == name)


def _ingredients(tree: Tree, mkosi: Mkosi) -> str:
    """A digest of what mkosi makes the base layers of: its settings, packages among them, the archive, and itself."""
    named = re.compile(r"mkosi\.([a-z]+\.)?conf$|mkosi\.sandbox/")
    parts = {path: file for path, file in tree.files.items() if named.match(path)}
    return hashlib.sha256(f"{mkosi.version} {mkosi.sha256} {_fingerprint(Tree(parts))}".encode()).hexdigest()


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


def _short(path: Path) -> str:
    """A path as a person in the checkout would type it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("../..") else relative
