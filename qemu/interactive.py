"""An image on the terminal of the person who built it: try it, log in, throw it away."""

import contextlib
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path

from image.attached import run_attached
from image.findings import Finding, FindingsError, fail
from image.toolbox import Toolbox
from qemu import accel, artefact, commandline, credentials, disks, firmware
from qemu.commandline import Files, Medium, Settings
from qemu.errors import MachineError

#: QEMU's user network: the machine reaches the world, the world doesn't reach the machine.
_NETDEV = "user"


def boot(
    cache: Path,
    image: Path,
    *,
    medium: Medium = "disk",
    memory: int = 2048,
    credential: Sequence[str] = (),
    offline: bool = False,
) -> int:
    """Boot an image with its serial console on this terminal; returns QEMU's exit status.

    It runs on a temporary disk, which is gone afterwards. It has the network of this host, unlike machines under test.

    :param cache: the cache that holds the tools tree.
    :param medium: how the machine sees the image; with ``cdrom`` it has no disk at all.
    :param memory: MiB.
    :param credential: ``NAME=VALUE`` of credentials to hand in (systemd.io/CREDENTIALS).
    :raises FindingsError: when there is no such image, or it can't be started.
    """
    if not image.is_file():
        raise FindingsError([Finding("there is no such image", image)])
    image = image.resolve()
    toolbox = Toolbox.load(cache)
    handed_in = {}
    for each in credential:
        name, equals, value = each.partition("=")
        if not equals:
            raise fail(f"the credential {each!r} has no value", hint="--credential NAME=VALUE")
        handed_in[name] = value.encode()
    try:
        arch = artefact.architecture(toolbox, image)
        settings = Settings(arch=arch, medium=medium, memory=memory, cpus=2, network=not offline, interactive=True)
        code = firmware.find(toolbox, arch)
        acceleration = accel.choose(toolbox, code, image, arch, cache)
        with tempfile.TemporaryDirectory(prefix="tau-boot-", dir="/var/tmp") as folder:
            files = Files(Path(folder))
            disks.make(toolbox, settings, files, image, code)
            command = commandline.build(settings, files, image, code, acceleration, _NETDEV)
            command += credentials.write(files.folder / "credentials", handed_in)
            print(_words(image, settings, acceleration), file=sys.stderr, flush=True)
            with _terminal_restored():
                return run_attached(toolbox.command(*command), Path.cwd())
    except MachineError as error:
        raise FindingsError([Finding(str(error), image)]) from None


def _words(image: Path, settings: Settings, acceleration: accel.Acceleration) -> str:
    speed = "KVM" if acceleration.name == "kvm" else "emulation, which is slow"
    medium = {"disk": "a temporary disk", "usb": "a USB stick (temporary)", "cdrom": "an optical disc, no disk"}
    return (
        f"Booting {image.name} from {medium[settings.medium]} with {speed}: {acceleration.reason}.\n"
        "This terminal is its serial console. Ctrl-A X ends it, Ctrl-A C is QEMU's monitor, Ctrl-A H is help."
    )


@contextlib.contextmanager
def _terminal_restored() -> Iterator[None]:
    """QEMU makes the terminal raw; whatever happens to it, it must not stay so."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
