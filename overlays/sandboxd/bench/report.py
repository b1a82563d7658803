"""What was measured of apps, as a page of the documentation."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.bench_report import Comparison
from image.templating import render_text
from overlays.sandboxd.bench import measure
from overlays.sandboxd.bench.left_behind import Crowd
from overlays.sandboxd.bench.measure import Run
from overlays.sandboxd.bench.memory import Process

_TEMPLATE = Path(__file__).parent / "report.md.j2"
#: What `tau run` is compared with: in words, the run's name, and the largest ratio that is aimed at.
_WITH = (
    ("`flatpak run` of the same program", measure.FLATPAK, 1.0),
    ("`systemd-run true`, confined as every app is", measure.CONFINED, None),
    ("`systemd-run true`, bare", measure.SYSTEMD_RUN, None),
    ("`bwrap true`, in namespaces of its own", measure.BWRAP, None),
    ("`python3 -c pass`, which `tau`, helper and what mounts each begin with", measure.PYTHON, None),
)
#: MiB of all resident processes that are aimed at.
_MOST_MEMORY = 40


@dataclass(frozen=True)
class Found:
    """All that was measured.

    :param runs: of each program, by name (:mod:`overlays.sandboxd.bench.measure`).
    :param steps: of a `tau run`, with the seconds of each, by the run's name.
    :param idle: the resident processes when no app runs, and `one` when one does.
    :param versions: of the packages that Flatpak is made of, by name.
    :param memory: MiB of the machine, and what it ran on (`accel`): conditions of the measurement.
    """

    runs: Mapping[str, Sequence[Run]]
    steps: Mapping[str, Sequence[tuple[str, float]]]
    idle: Sequence[Process]
    one: Sequence[Process]
    crowd: Crowd
    versions: Mapping[str, str]
    memory: int
    accel: str

    def starts(self) -> list[Comparison]:
        """Return what starting an app costs beside what else starts programs."""
        (words, name, aim), *others = _WITH
        return [
            self._beside(words, name, measure.TAU, aim),
            self._beside("the same, the first start since the login", measure.FLATPAK_FIRST, measure.TAU_FIRST),
            self._beside("the same, processor time until the machine is at rest", name, measure.TAU, busy=True),
            *(self._beside(words, name, measure.TAU, aim) for words, name, aim in others),
        ]

    def _beside(self, words: str, other: str, ours: str, aim: float | None = None, *, busy: bool = False) -> Comparison:
        """Compare two runs' seconds, or the processor time that they took."""
        theirs, taken = ([run.busy if busy else run.seconds for run in self.runs[name]] for name in (other, ours))
        return Comparison(words, theirs, taken, "s", aim, by_turns=True)

    def steps_of_both(self) -> list[dict[str, str]]:
        """Return the steps of a start, and of the first since the login, which has more of them."""
        later = {words: f"{seconds:.2f}" for words, seconds in self.steps[measure.TAU]}
        first = {words: f"{seconds:.2f}" for words, seconds in self.steps[measure.TAU_FIRST]}
        return [{"words": words, "first": seconds, "later": later.get(words, "")} for words, seconds in first.items()]

    def resident(self) -> list[Comparison]:
        """Return what the sandbox's processes take of memory, against what is aimed at."""
        kinds = (("no app runs", self.idle), ("one app runs, in the foreground", self.one))
        return [
            Comparison(words, [], [sum(each.share for each in processes)], "MiB", _MOST_MEMORY)
            for words, processes in kinds
        ]


def report(found: Found, *, host: str) -> str:
    """Return the page as Markdown.

    :param host: this host, in words.
    """
    context = {
        "starts": [comparison.row() for comparison in found.starts()],
        "steps": found.steps_of_both(),
        "resident": [comparison.row() for comparison in found.resident()],
        "processes": [
            {"name": each.name, "unit": _kind(each.unit), "share": f"{each.share / (1 << 20):.1f}"}
            for each in found.one
        ],
        "crowd": found.crowd,
        "counts": [
            {
                "what": what,
                "before": count,
                "during": found.crowd.during.get(what, 0),
                "after": found.crowd.after.get(what, 0),
            }
            for what, count in found.crowd.before.items()
        ],
        "left": ", ".join(f"{what} {count:+}" for what, count in found.crowd.left.items()),
        "versions": {name: found.versions.get(name, "") for name in ("flatpak", "bubblewrap", "xdg-dbus-proxy")},
        "rounds": len(found.runs[measure.TAU]),
        "memory": found.memory,
        "accel": found.accel,
        "host": host,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    return render_text(_TEMPLATE, context)


def _kind(unit: str) -> str:
    """A unit without what tells instances apart: `tau-app@….service`."""
    if unit.startswith("app-tau-"):
        return "app-tau-….service"
    name, at, _ = unit.partition("@")
    return f"{name}@….service" if at else unit or "the user's session"
