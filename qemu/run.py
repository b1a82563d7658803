"""Run the checks with pytest: the fast ones, or all of them on one image."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from image.findings import Finding, FindingsError, nearest
from image.paths import Paths
from qemu.artefact import plan_of
from qemu.errors import MachineError


def fast(root: Path, keyword: str) -> int:
    """Run what needs no machine; returns pytest's exit status."""
    return _pytest(root, ["tests", "-m", "not boot and not build"], keyword)


def everything(
    root: Path,
    image: Path,
    overlay: str,
    keyword: str,
    overlay_path: Sequence[str],
    *,
    breaks: str = "",
) -> int:
    """Run all checks on an image: those of the build system and those of every overlay in its plan.

    :param overlay: only the checks of this overlay, when given.
    :param breaks: break each of these checks on purpose, and pass those that fail (tests/breaks/plugin.py): in the
        system as it is (``guest``), or on the image that was built with the breaks (``image``).
    :raises FindingsError: when the image is missing or none of ours, or it has no such overlay.
    """
    image = image.resolve()
    if not image.is_file():
        raise FindingsError([Finding("there is no such image", image)])
    try:
        plan = plan_of(image, Paths.of(root).cache)
    except MachineError as error:
        raise FindingsError([Finding(str(error), image)]) from None
    known = [each.name for each in plan.overlays]
    if overlay and overlay not in known:
        raise FindingsError([Finding(f"the image has no overlay {overlay!r}", image, nearest=nearest(overlay, known))])
    folders = [*(Path(path).resolve() for path in overlay_path), root / "overlays"]
    checks = []
    for name in [overlay] if overlay else known:
        found = next((folder / name for folder in folders if (folder / name / "overlay.yaml").is_file()), None)
        if found is not None:
            checks += [str(path) for path in sorted(found.glob("test_*.py"))]
        elif overlay:
            hint = "name the folder that holds it: --overlay-path DIR"
            raise FindingsError([Finding(f"the checks of the overlay {name!r} are in no folder known here", hint=hint)])
        else:
            print(
                f"note: the checks of the overlay {name!r} do not run: its folder is unknown (--overlay-path)",
                flush=True,
            )
    if overlay and not checks:
        raise FindingsError([Finding(f"the overlay {overlay!r} has no checks (test_*.py)")])
    reports = Paths.of(root).build / "reports"
    arguments = [*([] if overlay or breaks else ["tests"]), *checks]
    arguments += ["-p", "tests.breaks.plugin", f"--breaks={breaks}"] if breaks else []
    arguments += ["-p", "qemu.plugin", f"--image={image}", f"--tools-cache={Paths.of(root).cache}"]
    arguments += [f"--reports={reports}", f"--junitxml={reports / 'junit.xml'}"]
    return _pytest(root, arguments, keyword)


def processes() -> int:
    """Return how many processes share the checks: one boots the machine of most, the others those of their own.

    A machine has 2 GiB of memory, and one more than there are processors: some always waits.
    """
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    return max(1, min(len(os.sched_getaffinity(0)) + 1, gibibytes // 4, 6))


def _pytest(root: Path, arguments: list[str], keyword: str) -> int:
    selection = ["-k", keyword] if keyword else []
    # Groups (qemu/plugin.py) keep the checks of the shared machine in one process; pytest-xdist's "loadgroup".
    spread = ["-n", str(processes()), "--dist=loadgroup"] if processes() > 1 else []
    # Named, or pytest would take another folder for its root where checks lie outside, and not know our rules.
    command = [sys.executable, "-m", "pytest", f"--rootdir={root}", f"--config-file={root / 'pyproject.toml'}"]
    command += ["--import-mode=importlib", "-p", "no:pytest11.testinfra"]
    command += [*spread, *arguments, *selection]
    return subprocess.run(command, cwd=root, check=False).returncode
