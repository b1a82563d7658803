"""What is left of a test run: evidence of every failure, and a summary by overlay and by row of the security model."""

import re
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qemu.console import plain
from qemu.errors import MachineError

if TYPE_CHECKING:
    from qemu.machine import Machine

#: The rows of the security model, by number.
ROWS = {
    1: "least privilege",
    2: "mandatory access control",
    3: "no root login",
    4: "sudo only, all of it logged",
    5: "homes encrypted",
    6: "no telemetry",
    7: "consent",
    8: "DNS over HTTPS",
    9: "Tor for every app",
    10: "apps sandboxed",
    11: "manifest-driven",
    12: "sandboxd",
    13: "no root by default",
    14: "later",
}


def of(config: pytest.Config) -> "Report":
    """Return the report of a pytest session."""
    plugin = config.pluginmanager.get_plugin("tau-report")
    assert isinstance(plugin, Report)
    return plugin


class Report:
    """A pytest plugin that collects outcomes and keeps evidence."""

    def __init__(self, config: pytest.Config) -> None:
        self.folder: Path = config.getoption("--reports")
        #: The machines of the session; those that are off are asked for their console only.
        self.machines: list[Machine] = []
        self._outcomes: dict[str, tuple[str, str, list[int]]] = {}  # outcome, overlay and rows of each check

    def keep(self, name: str) -> Path:
        """Write console log, journal and screenshot of every machine that there is to a folder of the reports."""
        folder = self.folder / re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[:150]
        folder.mkdir(parents=True, exist_ok=True)
        for number, machine in enumerate(each for each in self.machines if each.boots):
            _keep(machine, folder / f"machine-{number}")
        return folder

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note the overlay and the rows that a check belongs to, where they go along with its outcome."""
        folder = Path(str(item.path)).parent
        overlay = folder.name if (folder / "overlay.yaml").is_file() else "build system"
        rows = [int(mark.args[0]) for mark in item.iter_markers("row") if mark.args]
        item.user_properties += [("overlay", overlay), ("rows", rows)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep evidence when a check that uses the machine fails."""
        report = yield
        if report.failed and item.get_closest_marker("boot") is not None:
            folder = self.keep(plain(item.nodeid))
            report.sections.append(("evidence", str(folder)))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count an outcome, wherever the check has run: in this process or in another of pytest-xdist's."""
        if report.when == "call" or report.failed or report.skipped:
            outcome = "passed" if report.passed else "skipped" if report.skipped else "failed"
            belongs = dict(report.user_properties)
            self._outcomes[report.nodeid] = (outcome, str(belongs["overlay"]), list(belongs["rows"]))  # type: ignore[call-overload]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the summary and write it to summary.md."""
        if not self._outcomes:
            return
        by_overlay: dict[str, list[str]] = defaultdict(list)
        by_row: dict[int, list[str]] = defaultdict(list)
        for outcome, overlay, rows in self._outcomes.values():
            by_overlay[overlay].append(outcome)
            for row in rows:
                by_row[row].append(outcome)
        lines = ["## By overlay", "", "| overlay | passed | failed | skipped |", "|---|---|---|---|"]
        lines += [_line(name, outcomes) for name, outcomes in sorted(by_overlay.items())]
        lines += ["", "## By row of the security model", "", "| row | passed | failed | skipped |", "|---|---|---|---|"]
        lines += [_line(f"{row}: {ROWS.get(row, '?')}", by_row.get(row, [])) for row in sorted(set(by_row) | set(ROWS))]
        self.folder.mkdir(parents=True, exist_ok=True)
        summary = self.folder / "summary.md"
        summary.write_text("\n".join(["# Checks", "", *lines, ""]))
        terminalreporter.section("by overlay and by row of the security model")
        for line in lines:
            if line.startswith("| ") and not line.startswith(("| overlay", "| row")):
                name, passed, failed, skipped = (part.strip() for part in line.strip("|").split("|"))
                if (passed, failed, skipped) != ("0", "0", "0"):
                    terminalreporter.write_line(f"{name:32} {passed:>4} passed {failed:>4} failed {skipped:>4} skipped")
        terminalreporter.write_line(f"written to {summary}")


def _keep(machine: "Machine", folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    try:
        (folder / "packets.txt").write_text("".join(f"{packet}\n" for packet in machine.capture.packets()))
        (folder / "console.log").write_text(machine.console.stamped)
        (folder / "qemu.log").write_bytes((machine.files.folder / "qemu.log").read_bytes())
        if not machine.running:
            return
        machine.screenshot((folder / "screen.png").resolve())
        journal = machine.run("journalctl --no-pager -b -o short-monotonic", 90)
        (folder / "journal.log").write_bytes(journal.stdout)
    except (MachineError, AssertionError, OSError) as error:
        (folder / "incomplete.txt").write_text(f"{error}\n")


def _line(name: str, outcomes: list[str]) -> str:
    return "| " + " | ".join([name, *(str(outcomes.count(kind)) for kind in ("passed", "failed", "skipped"))]) + " |"
