"""The table of a benchmark: medians, ratios, and whether each reaches its aim."""

import datetime
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image.mkosi_tree import TEMPLATES
from image.templating import render_text


@dataclass(frozen=True)
class Comparison:
    """One thing measured of both.

    :param plain: of what ours is compared with; empty where there is nothing such.
    :param unit: ``s``, or ``MiB`` for values in bytes.
    :param aim: the largest ratio of ours to plain that is aimed at; without `plain`, the largest value, in `unit`.
    :param by_turns: whether each value was taken right after its counterpart. Then each turn has a ratio of its own,
        which a host that is busy for a while changes little, and the median of these is told.
    """

    what: str
    plain: Sequence[float]
    ours: Sequence[float]
    unit: str
    aim: float | None = None
    by_turns: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours to plain: of their medians, or by turns."""
        if self.plain and self.by_turns:
            return statistics.median(ours / plain for plain, ours in zip(self.plain, self.ours, strict=True))
        return statistics.median(self.ours) / statistics.median(self.plain) if self.plain else None

    @property
    def reached(self) -> bool | None:
        """Whether it is within its aim; None where there is none."""
        if self.aim is None:
            return None
        return (statistics.median(self._scaled(self.ours)) if self.ratio is None else self.ratio) <= self.aim

    def row(self) -> dict[str, str]:
        """Return the cells of its row."""
        aim = "" if self.aim is None else f"{self.aim:g} {self.unit}" if self.ratio is None else f"{self.aim:.2f}"
        return {
            "what": self.what,
            "plain": self._spread(self.plain) if self.plain else "",
            "ours": self._spread(self.ours),
            "ratio": "" if self.ratio is None else f"{self.ratio:.2f}",
            "aim": aim and f"≤ {aim}",
            "verdict": {None: "", True: "reached", False: "missed"}[self.reached],
        }

    def _scaled(self, values: Sequence[float]) -> list[float]:
        """The values in the unit."""
        return [value / (1 << 20) if self.unit == "MiB" else value for value in values]

    def _spread(self, values: Sequence[float]) -> str:
        scaled = self._scaled(values)
        digits = 0 if self.unit == "MiB" or min(scaled) >= 100 else 2 if max(scaled) < 10 else 1
        middle = f"{statistics.median(scaled):.{digits}f}"
        if len(scaled) == 1:
            return f"{middle} {self.unit}"
        return f"{middle} {self.unit} ({min(scaled):.{digits}f}–{max(scaled):.{digits}f})"


def report(comparisons: Sequence[Comparison], *, host: str, rounds: int, boots: int, memory: int, accel: str) -> str:
    """Return the report as Markdown.

    :param host: this host, in words. The others are the conditions of the measurement.
    """
    context = {
        "rows": [comparison.row() for comparison in comparisons],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "host": host,
        "rounds": rounds,
        "boots": boots,
        "memory": memory,
        "accel": accel,
    }
    return render_text(TEMPLATES / "bench" / "report.md.j2", context)


def host_words() -> str:
    """Return what this host is, as far as it bears on speed: processors and how busy they are."""
    text = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "")
    count = text.count("\nprocessor") + text.startswith("processor")
    load = Path("/proc/loadavg").read_text().split()[0]
    return f"{count} × {model or 'an unnamed processor'}, load {load} at its end"
