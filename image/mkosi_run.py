"""Run mkosi: its phases as progress, its output in a log, its workspace gone afterwards whatever happened."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from image.debian import failures
from image.mkosi import Mkosi
from image.process import run_logged
from image.progress import Step
from image.tree import make_folder

#: mkosi's phase in which apt fetches the archive's indexes.
_FETCHING = "Syncing package manager metadata"
#: How mkosi, which has already failed, tells of the command.
_COMMAND = r"(returned non-zero exit code|sandbox command omitted)"
#: Lines that an error quotes.
_QUOTED = 8


def run_mkosi(
    mkosi: Mkosi,
    arguments: Sequence[str],
    *,
    folder: Path,
    workspace: Path,
    packages: Path,
    log: Path,
    step: Step,
    fetched: Callable[[], None],
) -> None:
    """Run mkosi in the configuration `folder`.

    :param workspace: for what mkosi needs while it runs; removed afterwards.
    :param packages: the cache of downloaded packages.
    :param fetched: called when mkosi has fetched the archive's indexes, before it installs anything. What it raises
        stops mkosi.
    :raises FindingsError: when it fails; the error names `log`.
    """
    mkosi.remove_tree(workspace)  # what an interrupted run left
    make_folder(workspace)
    make_folder(packages)
    directories = [f"--workspace-directory={workspace}", f"--package-cache-dir={packages}"]
    try:
        run_logged(
            mkosi.command(*directories, *arguments),
            what=step.title[0].lower() + step.title[1:],
            log=log,
            cwd=folder,
            env=mkosi.environment(),
            listen=PhaseListener(step, fetched),
            quote=reasons,
        )
    finally:
        mkosi.remove_tree(workspace)


def reasons(lines: Sequence[str]) -> list[str]:
    """Choose from mkosi's output what tells why it failed: apt's own words, else the last that were said."""
    told = failures("\n".join(lines))
    if len(told) > _QUOTED:
        told = [*told[:_QUOTED], f"and {len(told) - _QUOTED} more of these"]
    # Commands are quoted with all their options, in lines of a thousand characters.
    return told or [line for line in lines if not re.match(rf"‣ .*{_COMMAND}|/usr/bin/dpkg --root", line)][-_QUOTED:]


class PhaseListener:
    """Turns mkosi's output into what a person wants to know: the phase, and how many packages of how many."""

    def __init__(self, step: Step, fetched: Callable[[], None] = lambda: None) -> None:
        self._step = step
        self._fetched = fetched
        self._phase = ""
        self._total = 0
        self._done = 0

    def __call__(self, line: str) -> None:
        """Take one line of output."""
        if match := re.match(r"‣\s+(?:\[(?P<image>[^]]+)\]\s+)?(?P<phase>.+)", line):
            if self._phase == _FETCHING:
                self._fetched()
            if re.search(_COMMAND, line):
                return
            image, phase = match["image"], re.sub(r"/\S+/", "", match["phase"]).rstrip("…")
            self._phase = f"{image}: {phase}" if image else phase
            self._total = self._done = 0
        elif match := re.match(r"\d+ upgraded, (\d+) newly installed", line):
            self._total, self._done = int(match[1]), 0
        elif line.startswith("Setting up "):
            self._done += 1
        elif not line.startswith("Unpacking "):
            return
        count = f" ({self._done} of {self._total} packages)" if self._total else ""
        self._step.update(self._phase + count)
