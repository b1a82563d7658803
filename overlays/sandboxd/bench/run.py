"""What apps cost, measured on an image in one machine: starting one, the memory of what is resident, many at once."""

import sys
import tempfile
from pathlib import Path

from image.findings import Finding, FindingsError
from image.mirrors import Mirrors
from image.plan import Plan
from image.toolbox import Toolbox
from overlays.sandboxd.author.tools import Tools
from overlays.sandboxd.bench import breakdown, left_behind, measure, memory, packages, scratch
from overlays.sandboxd.bench.report import Found
from qemu.artefact import plan_of
from qemu.commandline import Settings
from qemu.errors import MachineError
from qemu.machine import Machine
from qemu.terminal import PASSWORD, USER

#: MiB of the machine: what fifty apps and those who wait for them need.
MEMORY = 4096
#: Instances that are started at once; a user may have twice as many.
CROWD = 50


def run(cache: Path, image: Path, mirrors: Mirrors, rounds: int) -> Found:
    """Boot an image and measure.

    :param cache: the folder of all that is fetched, and of the tools tree (:class:`image.paths.Paths`).
    :param rounds: how many times each program is started.
    :raises FindingsError: when the image has no apps, the packages can't be had, or the machine does not obey.
    """
    try:
        plan = plan_of(image, cache)
    except MachineError as error:
        raise FindingsError([Finding(str(error), image)]) from None
    if plan.overlay("sandboxd") is None or plan.overlay("users") is None:
        raise FindingsError([Finding("has no apps to measure", image, expected="the overlays sandboxd and users")])
    toolbox = Toolbox.load(cache)
    credentials = {"tau.user.name": USER.encode(), "tau.user.password": PASSWORD.encode()}
    settings = Settings(arch=plan.arch, memory=MEMORY, credentials=credentials)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="tau-bench-", dir="/var/tmp") as folder,
            Machine(image, Path(folder, "machine"), toolbox, cache, settings) as machine,
        ):
            # Nobody answers on its network, and a name server is not given: what waits for these is no concern here.
            machine.boot(clean=False)
            return _measure(machine, Tools(toolbox), plan, mirrors, cache, rounds)
    except (MachineError, AssertionError) as error:  # an assertion of a command that was to succeed says what it said
        raise FindingsError([Finding(str(error))]) from None


def _measure(machine: Machine, tools: Tools, plan: Plan, mirrors: Mirrors, cache: Path, rounds: int) -> Found:
    laid = packages.fetch(scratch.installed(machine), plan.arch, mirrors, cache)
    user = scratch.prepare(machine, tools, laid, plan.arch)
    _tell("apps are installed")
    runs = measure.rounds(machine, user, rounds, _tell)
    runs |= measure.first(machine, user, rounds, _tell)
    said = breakdown.events(machine)
    steps = {name: breakdown.steps(runs[name], said) for name in (measure.TAU, measure.TAU_FIRST)}
    idle = memory.processes(machine)
    # In the foreground, as the shell's: `tau` itself is resident as long as the app.
    user.succeed(f"{{ tau run {scratch.APP} sleep infinity </dev/null >/dev/null 2>&1 & }}", 300)
    machine.wait_until("pgrep -x sleep", 300)
    one = memory.processes(machine)
    user.succeed(f"tau stop {scratch.APP}", 300)
    _tell("memory is measured")
    crowd = left_behind.crowd(machine, user, CROWD, _tell)
    return Found(
        runs=runs,
        steps=steps,
        idle=idle,
        one=one,
        crowd=crowd,
        versions=laid.versions,
        memory=MEMORY,
        accel=machine.accel.name,
    )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
