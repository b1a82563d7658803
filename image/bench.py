"""What building costs: rendering, our part of a build beside mkosi alone, and a plain Debian image to compare with."""

import datetime
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.artefact import remove_tree
from image.build import build
from image.findings import fail
from image.mirrors import Mirrors
from image.mkosi import Mkosi
from image.mkosi_tree import MKOSI_ARCHITECTURES, TEMPLATES, add_sources, mkosi_tree
from image.paths import Paths
from image.plan import Plan
from image.progress import Progress
from image.render import Rendered
from image.templating import render_text
from image.tree import Tree, make_folder
from image.workplace import workplace


@dataclass(frozen=True)
class Cost:
    """What something took: seconds by the clock, and seconds of processor time with all that it ran."""

    wall: float
    cpu: float


def cost(work: Callable[[], object]) -> Cost:
    """Do some work and return what it took."""
    wall, cpu = time.monotonic(), _processor_time()
    work()
    return Cost(time.monotonic() - wall, _processor_time() - cpu)


def _processor_time() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class BuildBench:
    """Builds of one recipe, measured. What it makes is below ``build/bench``."""

    def __init__(self, rendered: Rendered, paths: Paths, mirrors: Mirrors, mkosi: Mkosi, progress: Progress) -> None:
        self._rendered = rendered
        self._paths = paths
        self._mirrors = mirrors
        self._mkosi = mkosi
        self._progress = progress
        self.folder = paths.build / "bench"
        #: Our image, once builds() has made it.
        self.image = self.folder / "ours" / f"{rendered.plan.stem}.raw"
        make_folder(self.folder)

    def builds(self, rounds: int) -> tuple[list[Cost], list[Cost]]:
        """Build the same tree by turns, and return what it cost mkosi alone and what it cost us.

        The packages are in mkosi's cache before the first of them.
        """
        self._build()
        plain, ours = [], []
        for _ in range(rounds):
            plain.append(self._alone())
            ours.append(cost(self._build))
        return plain, ours

    def _build(self) -> None:
        output = self.image.parent
        remove_tree(output)  # else there would be nothing to do
        build(
            self._rendered,
            paths=self._paths,
            mirrors=self._mirrors,
            mkosi=lambda: self._mkosi,
            output=output,
            progress=self._progress,
        )

    def _alone(self) -> Cost:
        """Run mkosi as a person would on the rendered tree, with the caches that we give it."""
        with workplace(self._rendered.plan, self._paths, self._mirrors, self._progress) as place:
            tools = place.prepare(self._mkosi)
            tree, output, workspace = (place.folder / name for name in ("alone", "alone-output", "alone-workspace"))
            mkosi_tree(self._rendered, self._mirrors).write(tree)
            command = self._mkosi.command(
                f"--tools-tree={tools.tree}",
                f"--output-directory={output}",
                f"--cache-directory={place.cache}",
                f"--workspace-directory={workspace}",
                f"--package-cache-dir={self._paths.cache / 'packages'}",
                "--force",
                "build",
            )
            for folder in (output, workspace):
                self._mkosi.remove_tree(folder)
                folder.mkdir()
            try:
                with self._progress.step("Building with mkosi alone"):
                    return cost(lambda: self._run(command, tree))
            finally:
                for folder in (output, workspace, tree):
                    self._mkosi.remove_tree(folder)

    def _run(self, command: Sequence[str], tree: Path) -> None:
        log = self.folder / "alone.log"
        with log.open("wb") as stream:
            environment = self._mkosi.environment()
            done = subprocess.run(command, cwd=tree, env=environment, stdout=stream, stderr=stream, check=False)
        if done.returncode != 0:
            raise fail("mkosi alone failed on the rendered tree", hint=f"full log: {log}")

    def plain_image(self) -> Path:
        """Build the plain Debian image of the same packages and return it."""
        plan = self._rendered.plan.model_copy(update={"recipe": "plain"})
        target = self.folder / f"{plan.stem}.raw"
        with workplace(plan, self._paths, self._mirrors, self._progress) as place:
            tools = place.prepare(self._mkosi)
            tree = place.folder / "mkosi"
            plain_tree(plan, self._mirrors).write(tree)
            with self._progress.step("Building the plain image") as step:
                made = place.run(self._mkosi, tools, tree, step)
            try:
                (made / target.name).rename(target)
            finally:
                self._mkosi.remove_tree(made)
        return target


def plain_tree(plan: Plan, mirrors: Mirrors) -> Tree:
    """Make the mkosi tree of a plain Debian image with the packages of `plan`."""
    tree = Tree()
    context = {
        "plan": plan,
        "mkosi_architecture": MKOSI_ARCHITECTURES[plan.arch],
        "epoch": int(datetime.datetime.fromisoformat(f"{plan.date}T00:00:00+00:00").timestamp()),
    }
    base = TEMPLATES / "bench"
    tree.add_text("mkosi.conf", render_text(base / "mkosi.conf.j2", context))
    for template in sorted((base / "repart").glob("*.j2")):
        tree.add_text(f"mkosi.repart/{template.stem}", render_text(template, context))
    for name, folder in (("80-dhcp.network", "network"), ("10-bench.preset", "system-preset")):
        tree.add_text(f"mkosi.extra/etc/systemd/{folder}/{name}", (base / name).read_text())
    add_sources(tree, "mkosi.sandbox", mirrors, "trixie")
    add_sources(tree, "mkosi.tools.sandbox", mirrors, "forky")
    return tree
