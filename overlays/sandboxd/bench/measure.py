"""What starting a program costs, by turns in one machine: as the user what a user runs, as root what root runs."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from overlays.sandboxd.bench.scratch import APP, PLACE
from qemu.errors import MachineError
from qemu.machine import Machine
from qemu.terminal import Terminal

_MOST_SECONDS = 600
TAU, FLATPAK = "tau run", "flatpak run"
#: The same, where it is the app's first start since its user has logged in.
TAU_FIRST, FLATPAK_FIRST = "tau run, first", "flatpak run, beside it"
#: Takes away what the start before has left for the next one (tau-kept@.target).
_FORGET = "systemctl stop 'tau-kept@*.target' 'tau-app@*.service'"
BWRAP, PYTHON, SYSTEMD_RUN, CONFINED = "bwrap", "python3", "systemd-run", "systemd-run, confined"
_NAMESPACES = (
    *("--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib"),
    *("--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev"),
)
_WAIT = ("systemd-run", "--quiet", "--wait", "--pipe", "--collect")
#: What its user runs.
BY_USER: Mapping[str, Sequence[str]] = {
    TAU: ("tau", "run", APP),
    FLATPAK: ("flatpak", "run", APP),
    BWRAP: ("bwrap", *_NAMESPACES, "/usr/bin/true"),
    PYTHON: ("python3", "-I", "-S", "-c", "pass"),
}
#: What root runs. The second has all that every app is confined by, since systemd goes by the name of the unit.
BY_ROOT: Mapping[str, Sequence[str]] = {
    SYSTEMD_RUN: (*_WAIT, "/usr/bin/true"),
    CONFINED: (*_WAIT, "--unit=app-tau-bench.service", "--uid=nobody", "/usr/bin/true"),
}


@dataclass(frozen=True)
class Run:
    """One start, until the program had ended.

    :param began: and `ended`: seconds of the machine's monotonic clock.
    :param busy: seconds of processor time that the machine used until it was at rest again.
    """

    began: float
    ended: float
    busy: float

    @property
    def seconds(self) -> float:
        """How long whoever started it waited."""
        return self.ended - self.began


def parse(text: str) -> dict[str, Run]:
    """Read what guest/rounds.py has written.

    :raises MachineError: when a command has failed, with what it said.
    """
    found = {}
    for name, said in json.loads(text).items():
        if said["status"] != 0:
            raise MachineError(f"{name} ended with status {said['status']}: {said['said'].strip()}")
        found[name] = Run(said["began"], said["ended"], said["busy"])
    return found


def rounds(machine: Machine, user: Terminal, count: int, tell: Callable[[str], None]) -> dict[str, list[Run]]:
    """Run everything so many times, by turns; returns what each took, by name.

    :param tell: called with a line after each round.
    :raises MachineError: when a command fails.
    """
    found: dict[str, list[Run]] = {}
    for number in range(count):
        for name, run in (_as_user(machine, user, BY_USER) | _as_root(machine, BY_ROOT)).items():
            found.setdefault(name, []).append(run)
        _tell_of(number, found, tell)
    return found


def first(machine: Machine, user: Terminal, count: int, tell: Callable[[str], None]) -> dict[str, list[Run]]:
    """Start the app so many times as after a login: its files are not mounted, its profile is not loaded.

    :param tell: called with a line after each round.

    :raises MachineError: when it fails.
    """
    commands = {TAU_FIRST: BY_USER[TAU], FLATPAK_FIRST: BY_USER[FLATPAK]}
    found: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(count):
        machine.succeed(_FORGET, _MOST_SECONDS)
        for name, run in _as_user(machine, user, commands).items():
            found[name].append(run)
        _tell_of(number, found, tell)
    return found


def _tell_of(number: int, found: Mapping[str, Sequence[Run]], tell: Callable[[str], None]) -> None:
    tell(f"round {number + 1}: " + ", ".join(f"{name} {runs[-1].seconds:.2f} s" for name, runs in found.items()))


def _as_user(machine: Machine, user: Terminal, commands: Mapping[str, Sequence[str]]) -> dict[str, Run]:
    # Their words go by a file: what is typed at a console is echoed, and must be short.
    machine.run(f"cat >{PLACE}/commands && chmod 644 {PLACE}/commands", stdin=json.dumps(commands).encode())
    target = "$XDG_RUNTIME_DIR/bench"
    user.succeed(f'python3 {PLACE}/rounds.py {target} "$(cat {PLACE}/commands)"', _MOST_SECONDS)
    return parse(machine.succeed("cat /run/user/*/bench"))


def _as_root(machine: Machine, commands: Mapping[str, Sequence[str]]) -> dict[str, Run]:
    machine.run(f"cat >{PLACE}/commands", stdin=json.dumps(commands).encode())
    machine.succeed(f'python3 {PLACE}/rounds.py {PLACE}/found "$(cat {PLACE}/commands)"', _MOST_SECONDS)
    return parse(machine.succeed(f"cat {PLACE}/found"))
