"""Run the checks with pytest: the fast ones, or all of them on one image."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from image.attached import run_attached
from image.findings import Finding, FindingsError, right_name
from image.overlay import find_overlays, no_overlay, overlay_folders
from image.paths import Paths
from qemu.artefact import plan_of
from qemu.errors import MachineError
from qemu.results import begin


def fast(root: Path, keyword: str) -> int:
    """Run what needs no machine; returns pytest's exit status."""
    return _pytest(root, [*_tests(root), "-m", "not boot and not build"], keyword)


def everything(
    root: Path,
    image: Path,
    overlay: str,
    keyword: str,
    overlay_path: Sequence[str],
    *,
    breaks: str = "",
    results: Path | None = None,
) -> int:
    """Run all checks on an image: those of the build system and those of every overlay in its plan.

    :param overlay: only the checks of this overlay, when given.
    :param breaks: break each of these checks on purpose, and pass those that fail (tests/breaks/plugin.py): in the
        system as it is (``guest``), or on the image that was built with the breaks (``image``).
    :param results: the folder for summary and evidence; default: a new one below build/reports/.
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
        expected, close = right_name(overlay, known)
        message = f"the image has no overlay {overlay!r}"
        raise FindingsError([Finding(message, image, expected=expected, nearest=close)])
    checks = checks_of(root, overlay, overlay_path) if overlay else _checks_of_all(root, known, overlay_path)
    results = results or begin(Paths.of(root).build / "reports")
    arguments = [*([] if overlay or breaks else _tests(root)), *checks]
    arguments += ["-p", "tests.breaks.plugin", f"--breaks={breaks}"] if breaks else []
    arguments += ["-p", "qemu.plugin", f"--image={image}", f"--tools-cache={Paths.of(root).cache}"]
    arguments += [f"--reports={results}", f"--junitxml={results / 'junit.xml'}"]
    return _pytest(root, arguments, keyword)


def checks_of(root: Path, overlay: str, overlay_path: Sequence[str]) -> list[str]:
    """Return the files of the checks of one overlay.

    :raises FindingsError: when it is in none of the folders, or has no checks.
    """
    findings: list[Finding] = []
    search_path = overlay_folders(root, overlay_path)
    folders = find_overlays(search_path, findings)
    if overlay not in folders:
        findings.append(no_overlay(overlay, folders, search_path))
    elif not (checks := _checks_in(folders[overlay])):
        findings.append(Finding("has no checks", folders[overlay], expected="a test_….py in it"))
    if findings:
        raise FindingsError(findings)
    return checks


def _checks_of_all(root: Path, overlays: Sequence[str], overlay_path: Sequence[str]) -> list[str]:
    findings: list[Finding] = []
    folders = find_overlays(overlay_folders(root, overlay_path), findings)
    if findings:
        raise FindingsError(findings)
    for name in overlays:
        if name not in folders:
            note = f"note: the checks of the overlay {name!r} do not run: its folder is unknown (--overlay-path)"
            print(note, flush=True)
    return [check for name in overlays if name in folders for check in _checks_in(folders[name])]


def _tests(root: Path) -> list[str]:
    """The tests that need no machine: of the build system, and of programs that overlays bring."""
    return ["tests", *(str(path.relative_to(root)) for path in sorted(root.glob("overlays/*/tests")))]


def _checks_in(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.glob("test_*.py"))]


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
    command += ["--import-mode=importlib", "-p", "no:pytest11.testinfra", "-p", "qemu.stops"]
    command += [*spread, *arguments, *selection]
    return run_attached(command, root)
