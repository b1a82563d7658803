"""The tasks of ./inv: names, arguments, help. image/ works up to the artefact, qemu/ from there on."""

import errno
import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from image.findings import FindingsError, printable
from image.paths import Paths
from image.process import Interrupted, interruptible

ROOT = Path(__file__).parent
_RECIPE = {
    "recipe": "the recipe to use (./inv recipes lists them), or the file of one of your own",
    "arch": "x86_64 or aarch64; default: this host's",
    "set": "overlay.option=value; may be given more than once",
    "overlay-path": "a folder with overlays of your own; may be given more than once, the first wins",
    "mirror": "the Debian archive to fetch packages from; default: what this host's apt uses",
    "mkosi": "a mkosi of your own (the folder that holds its Python package)",
}
#: What a host may do to any read or write; another OSError is a mistake of ours, and keeps its traceback.
_HOST_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ENFILE),
}


def _task(help: Mapping[str, str] | None = None, **options: Any) -> Callable[[Callable[..., None]], Any]:
    """invoke's task, with errors shown as findings instead of tracebacks."""

    def decorate(function: Callable[..., None]) -> Any:
        parameters = {name.replace("_", "-") for name in inspect.signature(function).parameters}
        texts = {name: text for name, text in (_RECIPE | dict(help or {})).items() if name in parameters}
        repeated = [name for name in ("set", "overlay_path") if name.replace("_", "-") in parameters]

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                with interruptible():
                    function(*args, **kwargs)
            except FindingsError as error:
                print(f"\n{error}", file=sys.stderr)
                raise Exit(code=1) from None
            except (KeyboardInterrupt, Interrupted) as error:
                print("\ninterrupted", file=sys.stderr)
                raise Exit(code=128 + getattr(error, "number", 2)) from None
            except BrokenPipeError:
                raise Exit(code=141) from None
            except OSError as error:
                if error.errno not in _HOST_ERRORS:
                    raise
                print(f"\n{_words(error)}", file=sys.stderr)
                raise Exit(code=1) from None

        repeated += options.pop("iterable", [])
        return task(guarded, help=texts, iterable=repeated, **options)

    return decorate


def _words(error: OSError) -> str:
    """What the host refuses, and where: a full disk does not say of which file."""
    where = f"{error.filename}: " if error.filename else ""
    mend = ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        paths = Paths.of(ROOT)
        mend = f"\n    free some for {paths.build} and {paths.cache}, or set XDG_CACHE_HOME to another disk"
    return printable(f"{where}{error.strerror}") + mend


@_task(help={"output": "where the image goes; default: dist/"})
def build(
    _: Context,
    recipe: str = "tau",
    arch: str = "",
    set: Sequence[str] | None = None,
    overlay_path: Sequence[str] | None = None,
    output: str = "",
    mirror: str = "",
    mkosi: str = "",
) -> None:
    """Build a bootable image: dist/NAME_VERSION_ARCH.raw with its plan, manifest, log and SHA256SUMS."""
    from image import commands

    commands.build(ROOT, recipe, arch, set or [], overlay_path or [], output, mirror, mkosi)


@_task(help={"output": "where the tree goes; default: build/IMAGE/mkosi"})
def render(
    _: Context,
    recipe: str = "tau",
    arch: str = "",
    set: Sequence[str] | None = None,
    overlay_path: Sequence[str] | None = None,
    output: str = "",
    mirror: str = "",
) -> None:
    """Render the mkosi tree of a recipe, to read or to run with mkosi alone."""
    from image import commands

    commands.render(ROOT, recipe, arch, set or [], overlay_path or [], output, mirror)


@_task()
def lint(
    _: Context,
    recipe: str = "tau",
    arch: str = "",
    set: Sequence[str] | None = None,
    overlay_path: Sequence[str] | None = None,
    mirror: str = "",
    mkosi: str = "",
) -> None:
    """Put every rendered file through the tool of its kind, the one that the image ships."""
    from image import commands

    commands.lint(ROOT, recipe, arch, set or [], overlay_path or [], mirror, mkosi)


@_task(
    help={
        "image": "the image to boot; default: the recipe's in dist/",
        "cdrom": "as an optical disc, without a disk",
        "credential": "NAME=VALUE of a credential to hand in; may be given more than once",
    },
    iterable=["credential"],
)
def boot(
    _: Context,
    image: str = "",
    cdrom: bool = False,
    credential: Sequence[str] | None = None,
    recipe: str = "tau",
    arch: str = "",
) -> None:
    """Boot an image in QEMU with its console on this terminal; what it writes is thrown away. Ctrl-A X quits."""
    from image import commands
    from qemu import interactive

    path = Path(image) if image else commands.image_path(ROOT, recipe, arch)
    commands.tools_for(ROOT, path)
    raise Exit(
        code=interactive.boot(
            Paths.of(ROOT).cache, path, medium="cdrom" if cdrom else "disk", credential=credential or []
        )
    )


@_task(
    help={
        "fast": "only what needs no machine: seconds",
        "image": "check this image; default: build the recipe's first",
        "overlay": "only the checks of this overlay",
        "keyword": "only checks whose name matches, as pytest's -k",
        "breaks": "break what each check looks at, and see that the check fails (docs/breaks.md): an hour",
    }
)
def test(
    _: Context,
    fast: bool = False,
    image: str = "",
    overlay: str = "",
    keyword: str = "",
    breaks: bool = False,
    recipe: str = "tau",
    arch: str = "",
    set: Sequence[str] | None = None,
    overlay_path: Sequence[str] | None = None,
    mirror: str = "",
    mkosi: str = "",
) -> None:
    """Run every check: linters, the build system's tests, then the image in QEMU, checked from inside."""
    from image import commands
    from qemu import run

    if fast:
        raise Exit(code=run.fast(ROOT, keyword))
    if overlay:  # refused now, not when all is built
        run.checks_of(ROOT, overlay, overlay_path or [])
        if not image:
            commands.recipe_has(ROOT, recipe, arch, set or [], overlay_path or [], overlay)
    if breaks:
        from tests.breaks import session

        session.written(overlay)
    if not image:
        commands.lint(ROOT, recipe, arch, set or [], overlay_path or [], mirror, mkosi)
        built = commands.build(ROOT, recipe, arch, set or [], overlay_path or [], "", mirror, mkosi)
        image = str(built.image)
    commands.tools_for(ROOT, Path(image), mirror, mkosi)
    if breaks:

        def broken(folders: Sequence[str], output: str) -> Path:
            return commands.build(ROOT, recipe, arch, set or [], folders, output, mirror, mkosi).image

        raise Exit(code=session.breaks(ROOT, Path(image), broken, overlay, keyword))
    raise Exit(code=run.everything(ROOT, Path(image), overlay, keyword, overlay_path or []))


@_task(
    help={
        "rounds": "builds of each kind; default: 3",
        "boots": "first boots, and second ones, of each image; default: 3",
        "write": "also write docs/bench.md",
    }
)
def bench(
    _: Context,
    rounds: int = 3,
    boots: int = 3,
    write: bool = False,
    recipe: str = "tau",
    arch: str = "",
    set: Sequence[str] | None = None,
    overlay_path: Sequence[str] | None = None,
    mirror: str = "",
    mkosi: str = "",
) -> None:
    """Measure rendering, building and booting beside mkosi alone and a plain Debian: an hour under emulation."""
    from image import bench_report, commands
    from qemu import bench as boot_bench

    built = commands.bench(ROOT, recipe, arch, set or [], overlay_path or [], mirror, mkosi, rounds)
    booted, accel = boot_bench.run(Paths.of(ROOT).cache, built.images, built.plan.arch, boots)
    text = bench_report.report(
        [*built.comparisons, *booted],
        host=bench_report.host_words(),
        rounds=rounds,
        boots=boots,
        memory=boot_bench.MEMORY,
        accel=accel,
    )
    print(text)
    if write:
        (ROOT / "docs" / "bench.md").write_text(text)


@_task()
def recipes(_: Context) -> None:
    """List what can be built."""
    from image import listing

    listing.recipes(ROOT)


@_task(help={"name": "describe this overlay with its options"})
def overlays(_: Context, name: str = "", overlay_path: Sequence[str] | None = None) -> None:
    """List the overlays, or describe one."""
    from image import listing

    listing.overlays(ROOT, name, overlay_path or [])


@_task()
def doctor(_: Context) -> None:
    """Show what this host has and lacks, each with the mend."""
    from image import listing

    raise Exit(code=listing.doctor(ROOT))


@_task(help={"cache": "also remove the cache: packages, tools, mkosi"})
def clean(_: Context, cache: bool = False) -> None:
    """Remove build/ and dist/."""
    from image import commands

    commands.clean(ROOT, cache)


@_task(help={"check": "fail when a schema is not current, change nothing"})
def schemas(_: Context, check: bool = False) -> None:
    """Write the JSON schemas for editors (docs/schemas/)."""
    from image import schemas as module

    module.write(ROOT / "docs" / "schemas", check=check)
