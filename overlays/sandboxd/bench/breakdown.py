"""Where the time of a `tau run` goes: what PID 1 says of its units, by the machine's monotonic clock."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from overlays.sandboxd.bench.measure import Run
from qemu.machine import Machine

# systemd's own messages (sd-messages.h): a unit's start has begun or is done, it has ended.
_STARTING, _STARTED = "7d4958e842da4a758f6c1cdc7b36dcc5", "39f53479d3a045ac8e11786248231fbf"
_ENDED = "7ad2d189f7e94e70a38c781354912448"
#: What is looked for, in its order: how the unit's name begins (or one of several ways), the message, and in words what
#: has come to pass by then. Each begins where the one before has ended; what does not come to pass is no step.
_MARKS = (
    (("tau-app@", "app-tau-"), _STARTING, "`tau` has asked sandboxd, the helper has found out how, and has told PID 1"),
    (
        "tau-app@",
        _STARTED,
        "the app's files are mounted, its profile is loaded (the first since the login alone)",
    ),
    ("app-tau-", _STARTING, "PID 1 begins the app's unit"),
    ("app-tau-", _STARTED, "namespaces, mounts and filters are made, its first process runs"),
    ("app-tau-", _ENDED, "the app's init, its second filter and its program have run"),
)
_TOLD = "`tau` has learnt of the end, and has ended"


@dataclass(frozen=True)
class Event:
    """What PID 1 said of a unit; `seconds` by the monotonic clock."""

    seconds: float
    unit: str
    message: str


def events(machine: Machine) -> list[Event]:
    """Return all that PID 1 has said of units since the boot, in its order."""
    wanted = " ".join(f"MESSAGE_ID={each}" for each in (_STARTING, _STARTED, _ENDED))
    fields = "MESSAGE_ID,UNIT"
    return parse(machine.succeed(f"journalctl --boot --output=json --output-fields={fields} _PID=1 {wanted}", 300))


def parse(text: str) -> list[Event]:
    """Read journalctl's lines of JSON."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [
        Event(int(line["__MONOTONIC_TIMESTAMP"]) / 1e6, line["UNIT"], line["MESSAGE_ID"])
        for line in lines
        if "UNIT" in line
    ]


def steps(runs: Sequence[Run], said: Sequence[Event]) -> list[tuple[str, float]]:
    """Return what had come to pass by the end of each step of a start, with the median of the seconds that it took.

    What happens in some of the starts alone is told when it does in most of them.
    """
    found: dict[str, list[float]] = {words: [] for words in (*(mark[2] for mark in _MARKS), _TOLD)}
    for run in runs:
        last = run.began
        for prefix, message, words in _MARKS:
            times = [each.seconds for each in said if each.message == message and each.unit.startswith(prefix)]
            at = next((each for each in times if last <= each <= run.ended), None)
            if at is not None:
                found[words].append(at - last)
                last = at
        found[_TOLD].append(run.ended - last)
    return [(words, statistics.median(took)) for words, took in found.items() if len(took) * 2 > len(runs)]
