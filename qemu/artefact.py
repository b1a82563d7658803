"""What can be read out of an image file without starting it: its partitions, and files of its root."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from image.plan import PLAN_PATH, Plan, read_plan
from image.toolbox import Toolbox
from qemu.errors import MachineError

_SECTOR = 512
#: GPT partition types, by the names of the UAPI.2 Discoverable Partitions Specification.
_ROOTS = {
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "x86_64",
    "b921b045-1df0-41c3-af44-4c6f280d3fae": "aarch64",
}


@dataclass(frozen=True)
class Partition:
    """A partition; `start` and `size` are in bytes."""

    kind: str
    uuid: str
    start: int
    size: int


def partitions(toolbox: Toolbox, image: Path) -> list[Partition]:
    """Return the partitions of an image.

    :raises MachineError: when it has no partition table.
    """
    said = _run(toolbox, "sfdisk", "--json", str(image))
    table = json.loads(said)["partitiontable"]
    return [
        Partition(each["type"].lower(), each["uuid"].lower(), each["start"] * _SECTOR, each["size"] * _SECTOR)
        for each in table["partitions"]
    ]


def architecture(toolbox: Toolbox, image: Path) -> str:
    """Return the architecture of an image, by the type of its root partition.

    :raises MachineError: when it has no root of an architecture that we know.
    """
    return _ROOTS[root_partition(toolbox, image).kind]


def root_partition(toolbox: Toolbox, image: Path) -> Partition:
    """Return the root of an image.

    :raises MachineError: when it has none of an architecture that we know.
    """
    for partition in partitions(toolbox, image):
        if partition.kind in _ROOTS:
            return partition
    raise MachineError(f"{image} has no root partition: it is no image of Tau OS")


def read_file(toolbox: Toolbox, image: Path, path: str) -> bytes:
    """Return the content of a file of the image's root.

    :param path: absolute, inside the image.
    :raises MachineError: when it is not there.
    """
    start = root_partition(toolbox, image).start
    command = toolbox.command("dump.erofs", f"--offset={start}", "--cat", f"--path={path}", str(image))
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0 or b"<E>" in done.stderr:  # dump.erofs ends with success even when it found nothing
        raise MachineError(f"{path} is not in the root of {image}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def plan_of(image: Path, cache: Path) -> Plan:
    """Return the plan of an image: the one beside it, else (a downloaded image) the one in its root.

    :param cache: the cache with the tools tree, which is needed only for the latter.
    :raises FindingsError: when what is there is no plan, or there is no tools tree.
    :raises MachineError: when the image has no plan.
    """
    beside = image.with_suffix(".plan.json")
    if beside.is_file():
        return read_plan(beside.read_bytes(), beside)
    return read_plan(read_file(Toolbox.load(cache), image, PLAN_PATH), image)


def extent(toolbox: Toolbox, image: Path, path: str) -> tuple[int, int]:
    """Return where the content of a file starts in the image, and how many bytes of it lie there in one piece.

    :raises MachineError: when it is not there, or too small to have a block of its own.
    """
    start = root_partition(toolbox, image).start
    said = _run(toolbox, "dump.erofs", f"--offset={start}", "-e", f"--path={path}", str(image))
    for line in said.splitlines():
        # "   0:        0..  131072 |  131072 :   22331392..  22372352 |   40960"
        columns = line.replace("..", " ").replace("|", " ").replace(":", " ").split()
        if len(columns) == 7 and all(column.isdigit() for column in columns):
            return start + int(columns[4]), int(columns[6])
    raise MachineError(f"{path} has no extent of its own in {image}: {said}")


def _run(toolbox: Toolbox, *argv: str) -> str:
    done = subprocess.run(toolbox.command(*argv), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineError(f"{argv[-1]} is no image of Tau OS: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
