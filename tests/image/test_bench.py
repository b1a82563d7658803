"""The benchmark's own sums, and the plain image that ours is compared with."""

import subprocess
import sys
import time

import pytest

from image.bench import cost, plain_tree
from image.bench_report import Comparison, report
from image.mirrors import Mirrors
from tests.project import Project


@pytest.mark.parametrize(
    ("plain", "ours", "unit", "aim", "cells"),
    [
        (
            [10.0, 30.0, 20.0],
            [10.0, 11.0, 90.0],
            "s",
            0.7,
            ("20.0 s (10.0–30.0)", "11.0 s (10.0–90.0)", "0.55", "reached"),
        ),
        ([10.0], [10.4], "s", 1.03, ("10.0 s", "10.4 s", "1.04", "missed")),
        ([], [0.31], "s", 0.3, ("", "0.31 s", "", "missed")),
        ([], [0.29], "s", 0.3, ("", "0.29 s", "", "reached")),
        ([200 << 20], [100 << 20], "MiB", None, ("200 MiB", "100 MiB", "0.50", "")),
        ([], [39 << 20], "MiB", 40, ("", "39 MiB", "", "reached")),
        ([], [41 << 20], "MiB", 40, ("", "41 MiB", "", "missed")),
    ],
)
def test_a_row(plain: list[float], ours: list[float], unit: str, aim: float | None, cells: tuple[str, ...]) -> None:
    row = Comparison("x", plain, ours, unit, aim).row()
    assert (row["plain"], row["ours"], row["ratio"], row["verdict"]) == cells


def test_a_ratio_by_turns() -> None:
    """A host that is busy for one turn of three changes both of its values, and not what is told."""
    plain, ours = [1.0, 10.0, 2.0], [2.0, 20.0, 1.0]
    assert Comparison("x", plain, ours, "s", by_turns=True).ratio == 2
    assert Comparison("x", plain, ours, "s").ratio == 1


def test_the_report_names_its_conditions() -> None:
    text = report(
        [Comparison("boot", [2.0], [1.0], "s", 0.7)], host="2 × X, load 9", rounds=3, boots=4, memory=2048, accel="tcg"
    )
    assert "| boot | 2.00 s | 1.00 s | 0.50 | ≤ 0.70 | reached |\n" in text
    for word in ("2 × X, load 9", "3 times each", "4 first boots", "2048 MiB", "tcg"):
        assert word in text


def test_what_work_costs() -> None:
    """Processor time counts that of the programs that were run, which do all of the work of a build."""
    idle = cost(lambda: time.sleep(0.3))
    script = "import time\nwhile time.process_time() < 0.6: pass"
    busy = cost(lambda: subprocess.run([sys.executable, "-c", script], check=True))
    assert idle.wall >= 0.3 and idle.cpu < 0.2
    assert busy.wall >= 0.5 and busy.cpu >= 0.5


def test_the_plain_image_has_the_same_packages(project: Project) -> None:
    project.overlay("a", "packages: [bb, linux-image-amd64]\nkernel_command_line: [panic=10, console=ttyS0]")
    plan = project.rendered().plan
    tree = plain_tree(plan, Mirrors("http://127.0.0.1:1/debian", "http://127.0.0.1:1/security"))
    text = tree.files["mkosi.conf"].content.decode()
    assert all(f"\n    {package}\n" in text for package in plan.packages)
    assert "    console=ttyS0\n" in text and "panic=10" not in text
    assert "Format=ext4" in tree.files["mkosi.repart/10-root.conf"].content.decode()
    assert "mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources" in tree.files
