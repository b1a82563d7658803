"""The tasks of ./inv: names, arguments, help. image/ works up to the artefact, qemu/ from there on."""

import errno
import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from image.findings import Finding, FindingsError, fail, printable
from image.mirrors import host_mirrors
from image.paths import Paths
from image.process import Interrupted, interruptible
from image.request import Request

ROOT = Path(__file__).parent
#: What a host may do to any read or write; another OSError is a mistake of ours, and keeps its traceback.
_HOST_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ENFILE),
}


def _task(
    help: Mapping[str, str] | None = None, without: Sequence[str] = (), iterable: Sequence[str] = ()
) -> Callable[[Callable[..., None]], Any]:
    """invoke's task, with errors shown as findings instead of tracebacks, and with no short options: invoke would give
    the same letter to other options in each task.

    :param without: options of a :class:`Request` that make no difference to the task.
    """

    def decorate(function: Callable[..., None]) -> Any:
        signature = inspect.signature(function)
        asked = "request" in signature.parameters
        shared = [each for each in fields(Request) if asked and each.name not in without]
        repeated = [each.name for each in shared if each.default == ()]

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                with interruptible():
                    if asked:
                        kwargs["request"] = Request(**{each.name: kwargs.pop(each.name) for each in shared})
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

        # invoke reads a task's options off the signature of its function: there, the options of a Request stand for it.
        parameters = [each for each in signature.parameters.values() if each.name != "request"]
        for each in shared:
            default = None if each.name in repeated else each.default
            parameters.append(inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=default))
        guarded.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        texts = {each.name: each.metadata["help"] for each in shared} | dict(help or {})
        return task(guarded, help=texts, iterable=[*repeated, *iterable], auto_shortflags=False)

    return decorate


def _words(error: OSError) -> str:
    """What the host refuses, and where: a full disk does not say of which file."""
    where = f"{error.filename}: " if error.filename else ""
    mend = ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        paths = Paths.of(ROOT)
        mend = f"\n    free some for {paths.build} and {paths.cache}, or set XDG_CACHE_HOME to another disk"
    return printable(f"{where}{error.strerror}") + mend


def _no_effect(why: str, **options: object) -> None:
    """Refuse options that would make no difference: whoever gives one expects that it does.

    :param options: name and value of each; one that is false was not given.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        raise fail(f"{', '.join(given)}: no effect {why}")


@_task(help={"output": "where the image goes; default: dist/"})
def build(_: Context, request: Request, output: str = "") -> None:
    """Build a bootable image: dist/NAME_VERSION_ARCH.raw with its plan, manifest, log and SHA256SUMS."""
    from image import commands

    commands.build(ROOT, request, output)


@_task(help={"output": "where the tree goes; default: build/IMAGE/mkosi"}, without=["mkosi"])
def render(_: Context, request: Request, output: str = "") -> None:
    """Render the mkosi tree of a recipe, to read or to run with mkosi alone."""
    from image import commands

    commands.render(ROOT, request, output)


@_task()
def lint(_: Context, request: Request) -> None:
    """Put every rendered file through the tool of its kind, the one that the image ships."""
    from image import commands

    commands.lint(ROOT, request)


@_task(
    help={
        "image": "the image to boot; default: the recipe's in dist/",
        "cdrom": "as an optical disc, without a disk",
        "credential": "NAME=VALUE of a credential to hand in; may be given more than once",
    },
    iterable=["credential"],
    without=["set"],
)
def boot(
    _: Context, request: Request, image: str = "", cdrom: bool = False, credential: Sequence[str] | None = None
) -> None:
    """Boot an image in QEMU with its console on this terminal; what it writes is thrown away. Ctrl-A X quits."""
    from image import commands
    from qemu import interactive

    path = Path(image) if image else commands.image_path(ROOT, request)
    commands.tools_for(ROOT, path, request)
    raise Exit(
        code=interactive.boot(
            Paths.of(ROOT).cache, path, medium="cdrom" if cdrom else "disk", credential=credential or []
        )
    )


@_task(
    help={
        "fast": "only the build system's own tests, which need no machine: a minute",
        "image": "check this image; default: build the recipe's first",
        "overlay": "only the checks of this overlay",
        "keyword": "only checks whose name matches, as pytest's -k",
        "breaks": "break what each check looks at, and see that the check fails (docs/breaks.md): an hour",
    }
)
def test(
    _: Context,
    request: Request,
    fast: bool = False,
    image: str = "",
    overlay: str = "",
    keyword: str = "",
    breaks: bool = False,
) -> None:
    """Run every check: linters, the build system's tests, then the image in QEMU, checked from inside."""
    from image import commands
    from qemu import run

    if fast:
        why = "with --fast, which builds and boots nothing (--keyword chooses among its tests)"
        _no_effect(why, image=image, overlay=overlay, breaks=breaks, **request.given())
        raise Exit(code=run.fast(ROOT, keyword))
    if image and not breaks:
        given = request.given()
        why = "with --image: it is checked as it is, by its own plan"
        _no_effect(why, **{name: given.get(name) for name in ("recipe", "arch", "set")})
    if overlay:  # refused now, not when all is built
        run.checks_of(ROOT, overlay, request.overlay_path)
        if not image:
            commands.recipe_has(ROOT, request, overlay)
    if breaks:
        from tests.breaks import session

        session.written(overlay)
    if not image:
        commands.lint(ROOT, request)
        image = str(commands.build(ROOT, request).image)
    commands.tools_for(ROOT, Path(image), request)
    if breaks:

        def broken(folders: Sequence[str], output: str) -> Path:
            return commands.build(ROOT, replace(request, overlay_path=folders), output).image

        raise Exit(code=session.breaks(ROOT, Path(image), broken, overlay, keyword))
    raise Exit(code=run.everything(ROOT, Path(image), overlay, keyword, request.overlay_path))


@_task(
    help={
        "only": "only a part: images (render, build, boot), or apps (start, memory, many at once)",
        "image": "measure the apps of this image; default: build the recipe's first",
        "rounds": "builds of each kind, and starts of each program; default: 3 builds, 11 starts",
        "boots": "first boots, and second ones, of each image; default: 3",
        "write": "also write docs/bench.md and docs/bench-apps.md",
    }
)
def bench(
    _: Context,
    request: Request,
    only: str = "",
    image: str = "",
    rounds: int = 0,
    boots: int = 0,
    write: bool = False,
) -> None:
    """Measure images beside mkosi alone and plain Debian, and apps beside Flatpak: two hours under emulation."""
    from image import bench_report, commands
    from overlays.sandboxd.bench import run as apps
    from overlays.sandboxd.bench.report import report
    from qemu import bench as boot_bench

    parts, ours = ("images", "apps"), Path(image) if image else None
    if only and only not in parts:
        raise FindingsError([Finding(f"--only {only}: there is no such part", expected=" or ".join(parts))])
    if only == "apps":
        _no_effect("with --only apps, which boots one image, once", boots=boots)
    else:
        _no_effect("without --only apps: the images that are measured are built", image=image)
    if ours:
        given = request.given()
        _no_effect("with --image", **{name: given.get(name) for name in ("recipe", "arch", "set", "overlay_path")})
    if only != "apps":
        built = commands.bench(ROOT, request, rounds or 3)
        booted, accel = boot_bench.run(Paths.of(ROOT).cache, built.images, built.plan.arch, boots or 3)
        text = bench_report.report(
            [*built.comparisons, *booted],
            host=bench_report.host_words(),
            rounds=rounds or 3,
            boots=boots or 3,
            memory=boot_bench.MEMORY,
            accel=accel,
        )
        _told(text, "bench.md" if write else "")
        ours = built.images["ours"]
    if only != "images":
        ours = ours or commands.build(ROOT, request).image
        commands.tools_for(ROOT, ours, request)
        found = apps.run(Paths.of(ROOT).cache, ours, host_mirrors(request.mirror), rounds or 11)
        _told(report(found, host=bench_report.host_words()), "bench-apps.md" if write else "")


def _told(text: str, page: str) -> None:
    """Print a report, and write it to a page of the documentation when one is named."""
    print(text)
    if page:
        (ROOT / "docs" / page).write_text(text)


@_task()
def recipes(_: Context) -> None:
    """List what can be built."""
    from image import listing

    listing.recipes(ROOT)


@_task(help={"output": "where the bundles go; default: dist/apps/"}, without=["recipe", "set", "overlay_path"])
def samples(_: Context, request: Request, output: str = "") -> None:
    """Pack the sample apps, to install and try on a machine: dist/apps/ID_ARCH.raw."""
    from image import commands
    from image.progress import Progress
    from overlays.sandboxd.author.samples import pack

    paths, architecture = Paths.of(ROOT), commands.architecture(request.arch)
    commands.tools(ROOT, request)
    folder = Path(output).resolve() if output else paths.dist / "apps"
    pack(architecture, paths.build / "sample-author", folder, paths.cache, Progress())


@_task(help={"name": "describe this overlay with its options"}, without=["recipe", "arch", "set", "mirror", "mkosi"])
def overlays(_: Context, request: Request, name: str = "") -> None:
    """List the overlays, or describe one."""
    from image import listing

    listing.overlays(ROOT, name, request.overlay_path)


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
