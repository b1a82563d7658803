"""Run the checks with pytest: the fast ones, or all of them on one image."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from image.findings import Finding, FindingsError, nearest
from image.paths import Paths
from image.plan import Plan, read_plan


def fast(root: Path, keyword: str) -> int:
    """Run what needs no machine; returns pytest's exit status."""
    return _pytest(root, ["tests", "-m", "not boot"], keyword)


def everything(root: Path, image: Path, overlay: str, keyword: str, overlay_path: Sequence[str]) -> int:
    """Run all checks on an image: those of the build system and those of every overlay in its plan.

    :param overlay: only the checks of this overlay, when given.
    :raises FindingsError: when the image or its plan is missing, or it has no such overlay.
    """
    image = image.resolve()
    if not image.is_file():
        raise FindingsError([Finding("there is no such image", image)])
    plan = _plan(image)
    known = [each.name for each in plan.overlays]
    if overlay and overlay not in known:
        raise FindingsError([Finding(f"the image has no overlay {overlay!r}", image, nearest=nearest(overlay, known))])
    folders = [*(Path(path).resolve() for path in overlay_path), root / "overlays"]
    checks = []
    for name in [overlay] if overlay else known:
        file = f"test_{name.replace('-', '_')}.py"
        found = next((folder / name / file for folder in folders if (folder / name / file).is_file()), None)
        checks += [str(found)] if found else []
    reports = Paths.of(root).build / "reports"
    arguments = [*([] if overlay else ["tests"]), *checks]
    arguments += ["-p", "qemu.plugin", f"--image={image}", f"--tools-cache={Paths.of(root).cache}"]
    arguments += [f"--reports={reports}", f"--junitxml={reports / 'junit.xml'}"]
    return _pytest(root, arguments, keyword)


def _plan(image: Path) -> Plan:
    path = image.with_suffix(".plan.json")
    if not path.is_file():
        raise FindingsError([Finding("the image's plan is not beside it", path)])
    return read_plan(path.read_bytes(), path)


def _pytest(root: Path, arguments: list[str], keyword: str) -> int:
    selection = ["-k", keyword] if keyword else []
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--import-mode=importlib",
        "-p",
        "no:pytest11.testinfra",
        *arguments,
        *selection,
    ]
    return subprocess.run(command, cwd=root, check=False).returncode
