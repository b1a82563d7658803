"""The temporary disks of a machine: the image is never written to."""

from pathlib import Path

from qemu import tools
from qemu.commandline import Files, Settings
from qemu.firmware import Firmware
from qemu.tools import Tools


def make(tools_: Tools, settings: Settings, files: Files, image: Path, firmware: Firmware) -> None:
    """Make the variable store and the disk over the image that are not there yet.

    :raises ToolMissingError: when qemu-img can't, with its own words.
    """
    if not files.variables.exists():
        arguments = ("convert", "-q", "-O", "qcow2", firmware.variables, str(files.variables))
        tools.run(tools_, "qemu-img", *arguments)
    if settings.medium != "cdrom" and not files.disk.exists():
        size = max(settings.disk_size, image.stat().st_size)
        backing = ("-F", "raw", "-b", str(image))
        tools.run(tools_, "qemu-img", "create", "-q", "-f", "qcow2", *backing, str(files.disk), str(size))


def damage_image(tools_: Tools, files: Files, image: Path, offset: int) -> None:
    """Lay a changed byte between a machine's disk and the image, where loading a snapshot does not take it back.

    :param offset: bytes from the start of the image.
    :raises ToolMissingError: when qemu-img or qemu-io can't, with its own words.
    """
    with image.open("rb") as stream:
        stream.seek(offset)
        changed = stream.read(1)[0] ^ 0xFF
    damaged = files.disk.with_name("damaged.qcow2")
    tools.run(tools_, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image), str(damaged))
    tools.run(tools_, "qemu-io", "-f", "qcow2", "-c", f"write -P {changed} {offset} 1", str(damaged))
    tools.run(tools_, "qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", str(damaged), str(files.disk))
