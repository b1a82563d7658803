"""What booting costs: images side by side in the same machine, by turns."""

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from image.bench_report import Comparison
from image.findings import Finding, FindingsError
from image.toolbox import Toolbox
from qemu.commandline import Settings
from qemu.errors import MachineError
from qemu.machine import Machine
from qemu.tools import Tools

#: MiB of each machine.
MEMORY = 2048
#: Seconds that a system which has started is given to come to rest before its memory is looked at.
_REST = 10
#: What is told of each kind of boot: in words, the field of Boot, its unit, and the largest ratio that is aimed at.
_TOLD = (
    ("to multi-user.target", "seconds", "s", 0.7),
    ("processor time", "cpu", "s", 0.7),
    ("memory in use", "memory", "MiB", 1.0),
)
_FAILED = "systemctl list-units --failed --plain --no-legend --no-pager"
_REACHED = "systemctl show --value --property=ActiveEnterTimestampMonotonic multi-user.target"


@dataclass(frozen=True)
class Boot:
    """One boot.

    :param seconds: from power-on (firmware included) to multi-user.target.
    :param cpu: seconds of processor time that QEMU took until the system had settled.
    :param memory: bytes in use then.
    :param state: of the system, by systemctl(1), and the units that have failed.
    """

    seconds: float
    cpu: float
    memory: int
    state: str


@dataclass(frozen=True)
class Boots:
    """The boots of one image: the first of a new disk, and the one after it."""

    first: list[Boot]
    second: list[Boot]


def compare(
    images: Mapping[str, Path],
    tools: Tools,
    cache: Path,
    *,
    arch: str,
    boots: int,
    tell: Callable[[str], None],
) -> tuple[dict[str, Boots], str]:
    """Boot the images by turns, each time from a new disk; return what it cost, and what the machines ran on.

    :param images: the image file of each name.
    :param tell: called with a line after each boot.
    :raises MachineError: when one does not start.
    """
    found = {name: Boots([], []) for name in images}
    accel = ""
    for _ in range(boots):
        for name, image in images.items():
            with tempfile.TemporaryDirectory(prefix="tau-bench-", dir="/var/tmp") as folder:
                settings = Settings(arch=arch, memory=MEMORY)
                with Machine(image, Path(folder, "machine"), tools, cache, settings) as machine:
                    for kind, results in (("first", found[name].first), ("second", found[name].second)):
                        results.append(_boot(machine))
                        tell(f"{name}, {kind} boot: {results[-1].seconds:.1f} s, {results[-1].state}")
                        machine.shut_down()
                    accel = machine.accel.name
    return found, accel


def _boot(machine: Machine) -> Boot:
    began = time.monotonic()
    machine.start()
    state = machine.wait_for_boot()
    cpu = processor_time(machine.pid)
    answer = machine.run(_REACHED)
    seconds = since_power_on(began, time.monotonic(), answer.ended, answer.text)
    time.sleep(_REST)
    failed = [line.split()[0] for line in machine.run(_FAILED).text.splitlines() if line.strip()]
    state = " ".join([state, *failed])
    return Boot(seconds, cpu, memory_used(machine.succeed("cat /proc/meminfo")), state)


def since_power_on(began: float, now: float, uptime: float, reached: str) -> float:
    """Return the seconds from power-on until a unit was reached.

    :param began: this host's clock at power-on, and `now` when the guest's uptime was `uptime`.
    :param reached: systemctl's time stamp of the unit, microseconds of the guest's uptime.
    :raises MachineError: when the unit was not reached.
    """
    if not reached.isdecimal() or int(reached) == 0:
        raise MachineError(f"the system has not reached multi-user.target: {reached!r}")
    return now - uptime - began + int(reached) / 1e6


def memory_used(meminfo: str) -> int:
    """Return the bytes that are in use: MemTotal less MemAvailable (proc_meminfo(5))."""
    values = {name: int(value) for name, value in re.findall(r"^(\w+):\s+([0-9]+) kB$", meminfo, re.MULTILINE)}
    return (values["MemTotal"] - values["MemAvailable"]) * 1024


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process and its descendants have taken so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    # proc_pid_stat(5): utime and stime are the 14th and 15th field, the 12th and 13th behind the name.
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_time(int(child)) for child in children)


def run(cache: Path, images: Mapping[str, Path], arch: str, boots: int) -> tuple[list[Comparison], str]:
    """Boot the images ``plain`` and ``ours``; return what is to be told of it, and what the machines ran on.

    :param cache: the cache that holds the tools tree.
    :raises FindingsError: when there is no tools tree, or a machine does not start.
    """

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        found, accel = compare(images, Toolbox.load(cache), cache, arch=arch, boots=boots, tell=tell)
    except MachineError as error:
        raise FindingsError([Finding(str(error))]) from None
    told = []
    for kind in ("first", "second"):
        plain, ours = (getattr(found[name], kind) for name in ("plain", "ours"))
        for what, field, unit, aim in _TOLD:
            of_plain, of_ours = ([float(getattr(boot, field)) for boot in of] for of in (plain, ours))
            told.append(Comparison(f"{kind} boot, {what}", of_plain, of_ours, unit, aim))
    return told, accel
