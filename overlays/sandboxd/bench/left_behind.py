"""Many apps at once: they start, they end, and everything that they had is gone."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from overlays.sandboxd.bench.scratch import PLACE, WAITING
from qemu.errors import MachineError
from qemu.machine import Machine
from qemu.patience import patience
from qemu.terminal import Terminal

#: Seconds that all of them together may take to start, and to end.
_MOST_SECONDS = 1800
#: Seconds until nothing is left.
_GRACE = 120
_RUNNING = "find /sys/fs/cgroup/apps.slice -name 'app-tau-*' 2>/dev/null | wc -l"


@dataclass(frozen=True)
class Crowd:
    """What many instances at once came to.

    :param wanted: instances; `running` of them were seen to run at once.
    :param said: what those said that did not start.
    :param start: and `stop`: seconds until all had started, and until all had ended.
    :param before: counts of what could be left, `during` them, and `after` them, by kind.
    """

    wanted: int
    running: int
    said: str
    start: float
    stop: float
    before: Mapping[str, int]
    during: Mapping[str, int]
    after: Mapping[str, int]

    @property
    def left(self) -> dict[str, int]:
        """How many there are more of than before, by kind; of what else has ended meanwhile there are fewer."""
        more = {kind: self.after.get(kind, 0) - count for kind, count in self.before.items()}
        return {kind: number for kind, number in more.items() if number > 0}


def counts(machine: Machine) -> dict[str, int]:
    """Count what could be left behind."""
    return parse(machine.succeed(f"sh {PLACE}/counts.sh", 300))


def parse(text: str) -> dict[str, int]:
    """Read what guest/counts.sh says.

    :raises MachineError: for a line of another form.
    """
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(.+): (\d+)", line)
        if not match:
            raise MachineError(f"{line!r} is no count")
        found[match[1]] = int(match[2])
    return found


def crowd(machine: Machine, user: Terminal, wanted: int, tell: Callable[[str], None]) -> Crowd:
    """Start so many instances at once, end them, and count before and after.

    One runs and ends first: what the first start leaves for good (a slice, a folder below /run) is no leak.

    :param tell: called with a line for each step.
    """
    _all_at_once(user, 1)
    user.run(f"tau stop {WAITING}", _MOST_SECONDS)
    _settle(machine, None)
    before = counts(machine)
    began = time.monotonic()
    said = _all_at_once(user, wanted)
    running = int(machine.succeed(_RUNNING))
    start = time.monotonic() - began
    tell(f"{running} of {wanted} instances run after {start:.0f} s")
    during = counts(machine)
    began = time.monotonic()
    user.run(f"tau stop {WAITING}", _MOST_SECONDS)
    machine.wait_until(f"[ $({_RUNNING}) = 0 ]", _GRACE)
    stop = time.monotonic() - began
    tell(f"none runs after {stop:.0f} s")
    return Crowd(wanted, running, said, start, stop, before, during, _settle(machine, before))


def _all_at_once(user: Terminal, count: int) -> str:
    """Start so many instances, each by a command of its own that does not wait for the others; what failed, said."""
    # In a shell of its own, which does not tell of its jobs.
    one = f"tau run --background {WAITING} sleep infinity >$XDG_RUNTIME_DIR/said 2>&1 || cat $XDG_RUNTIME_DIR/said"
    one = one.replace("/said", "/said-$n")
    script = f"for n in $(seq {count}); do ({one}) & done; wait"
    return user.run(f"sh -c '{script}'", _MOST_SECONDS)[1].strip()


def _settle(machine: Machine, before: Mapping[str, int] | None) -> dict[str, int]:
    """Count until it is as before, or does not change any more, or the grace is over; returns the last counts."""
    deadline = time.monotonic() + patience.of(_GRACE)
    last: dict[str, int] = {}
    while True:
        now = counts(machine)
        if (before is None and now == last) or now == before or time.monotonic() > deadline:
            return now
        last = now
        time.sleep(5)
