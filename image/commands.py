"""What the tasks do: from the words of a command line to calls of the modules that do the work."""

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from image import artefact
from image.bench import BuildBench, cost
from image.bench_report import Comparison
from image.build import Built, base_layers
from image.build import build as build_image
from image.findings import Finding, FindingsError, fail, nearest, right_name
from image.lint import lint as lint_tree
from image.mirrors import host_mirrors
from image.mkosi import remove_mapped
from image.mkosi_fetch import ensure_mkosi
from image.mkosi_tree import mkosi_tree
from image.overlay import Architecture, overlay_folders
from image.paths import Paths
from image.plan import Plan
from image.progress import Progress, size
from image.recipe import load_recipe
from image.render import Rendered
from image.request import Request
from image.resolve import resolve
from image.tools import ensure_tools


def architecture(name: str) -> Architecture:
    """Return the architecture `name`, or this host's when the name is empty.

    :raises FindingsError: when we make no images of it.
    """
    known: tuple[Architecture, ...] = get_args(Architecture)
    wanted = name or platform.machine()
    for arch in known:
        if arch == wanted:
            return arch
    close = nearest(wanted, known)
    raise FindingsError([Finding(f"--arch {wanted}: no such architecture", expected=" or ".join(known), nearest=close)])


def rendered(root: Path, request: Request) -> Rendered:
    """Load, resolve and render a recipe.

    :raises FindingsError: with all that is wrong, in the recipe, in its overlays and in the words of the command line.
    """
    recipe = load_recipe(request.recipe, root / "recipes")
    resolved = resolve(recipe, overlay_folders(root, request.overlay_path), request.set)
    try:
        arch = architecture(request.arch)
    except FindingsError as error:
        raise FindingsError([*error.findings, *resolved.findings]) from None
    return Rendered(resolved, arch)


def recipe_has(root: Path, request: Request, overlay: str) -> None:
    """Refuse an overlay that is not in the recipe.

    :raises FindingsError: as :func:`rendered` does, and when it is not there.
    """
    plan = rendered(root, request).plan
    if plan.overlay(overlay) is None:
        expected, close = right_name(overlay, [each.name for each in plan.overlays])
        message = f"--overlay {overlay}: is not in the recipe {plan.recipe!r}"
        raise FindingsError([Finding(message, expected=expected, nearest=close)])


def build(root: Path, request: Request, output: str = "") -> Built:
    """Build an image and say where it is."""
    progress = Progress()
    paths = Paths.of(root)
    folder = Path(output).resolve() if output else paths.dist
    mirrors = host_mirrors(request.mirror)
    built = build_image(
        rendered(root, request),
        paths=paths,
        mirrors=mirrors,
        mkosi=lambda: ensure_mkosi(paths, mirrors, request.mkosi, progress),
        output=folder,
        progress=progress,
    )
    state = "built" if built.fresh else "nothing has changed, up to date"
    space = size(built.image.stat().st_blocks * 512)
    progress.note(f"{built.image}: {state} ({space} on disk)")
    return built


def render(root: Path, request: Request, output: str) -> None:
    """Write the mkosi tree and say where it is."""
    result = rendered(root, request)
    target = Path(output).resolve() if output else Paths.of(root).build / result.plan.stem / "mkosi"
    if target.exists() and not (target / "mkosi.conf").is_file() and any(target.iterdir()):
        raise FindingsError([Finding("holds something else than a rendered tree; it is left alone", file=target)])
    mkosi_tree(result, host_mirrors(request.mirror)).write(target)
    Progress().note(f"{target}: rendered; build it with: cd {target} && mkosi -f build")


def image_path(root: Path, request: Request) -> Path:
    """Return where the image of a recipe is built to."""
    plan = rendered(root, request).plan
    return Paths.of(root).dist / f"{plan.stem}.raw"


def tools_for(root: Path, image: Path, request: Request) -> None:
    """Have the tools that boot an image, which may have been built elsewhere.

    :raises FindingsError: when there is no such image, or the tools can't be had.
    """
    if not image.is_file():
        raise FindingsError([Finding("there is no such image", file=image)])
    tools(root, request)


def tools(root: Path, request: Request) -> None:
    """Have the tools tree: nothing of ours need be here yet.

    :raises FindingsError: when it can't be had.
    """
    progress = Progress()
    paths, mirrors = Paths.of(root), host_mirrors(request.mirror)
    ensure_tools(ensure_mkosi(paths, mirrors, request.mkosi, progress), mirrors, paths, progress)


def lint(root: Path, request: Request) -> None:
    """Check every rendered file with the tool of its kind and say how many there were."""
    progress = Progress()
    paths, mirrors = Paths.of(root), host_mirrors(request.mirror)
    result = rendered(root, request)
    tool = ensure_mkosi(paths, mirrors, request.mkosi, progress)
    with base_layers(result, paths=paths, mirrors=mirrors, mkosi=tool, progress=progress) as base:
        count = lint_tree(result, base.tree, base.root, base.initrd, base.toolbox, progress)
    progress.note(f"{count} files checked, nothing found")


def clean(root: Path, cache: bool) -> None:
    """Remove what was built here, and with `cache` what was fetched."""
    paths = Paths.of(root)
    for folder in (paths.build, paths.dist, *([paths.cache] if cache else [])):
        if folder.exists():
            artefact.remove_tree(folder)
            remove_mapped(folder)  # what is left has owners of the image
            if folder.exists():
                raise fail("can't be removed as a whole", file=folder)
            Progress().note(f"{folder}: removed")


@dataclass(frozen=True)
class BenchBuilt:
    """What a benchmark of builds has measured, and the images to boot by name, the plain one first."""

    plan: Plan
    images: dict[str, Path]
    comparisons: list[Comparison]


def bench(root: Path, request: Request, rounds: int) -> BenchBuilt:
    """Measure rendering and building, and build the plain image that ours is compared with."""
    progress = Progress()
    paths, mirrors = Paths.of(root), host_mirrors(request.mirror)
    rendering = [cost(lambda: rendered(root, request)).wall for _ in range(7)]
    result = rendered(root, request)
    builds = BuildBench(result, paths, mirrors, ensure_mkosi(paths, mirrors, request.mkosi, progress), progress)
    alone, ours = builds.builds(rounds)
    images = {"plain": builds.plain_image(), "ours": builds.image}
    space = {name: image.stat().st_blocks * 512 for name, image in images.items()}
    return BenchBuilt(
        result.plan,
        images,
        [
            Comparison("render the recipe", [], rendering, "s", 0.3),
            Comparison("build, time", [each.wall for each in alone], [each.wall for each in ours], "s", 1.03),
            Comparison("build, processor time", [each.cpu for each in alone], [each.cpu for each in ours], "s", 1.03),
            Comparison("size of the image", [space["plain"]], [space["ours"]], "MiB", 0.6),
        ],
    )
