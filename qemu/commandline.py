"""What a machine is made of, and the QEMU command line that makes it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from qemu.accel import Acceleration
from qemu.credentials import SHELL_PORT
from qemu.firmware import Firmware

Medium = Literal["disk", "usb", "cdrom"]

#: On x86_64 without the controllers that nothing is attached to: their drivers and events cost a boot under emulation
#: a fifteenth of its time. The keyboard is on USB.
_MACHINES = {"x86_64": "q35,smm=off,sata=off,smbus=off,i8042=off", "aarch64": "virt,gic-version=3"}


@dataclass(frozen=True)
class Settings:
    """A machine.

    :param medium: how it sees the image: as a disk (virtio), a USB stick (xhci) or an optical disc.
    :param disk_size: bytes; the image is laid at the start of a disk of this size.
    :param memory: MiB.
    :param cpus: one: a second makes an emulated boot cost 40 % more of the host and no shorter (docs/ci.md).
    :param extra_disk: a second disk, in a qcow2 file.
    :param credentials: handed in over SMBIOS, beside those of the harness.
    :param mac: the network card's hardware address; its last byte decides which IPv4 address it is given.
    :param kernel_arguments: added to the sealed kernel command line, as a hypervisor can (systemd-stub(7)).
    :param interactive: the serial line is QEMU's own terminal (Ctrl-A X quits), and nothing else is connected.
    :param harness_shell: without it nothing of the harness is in the guest.
    """

    arch: str = "x86_64"
    medium: Medium = "disk"
    disk_size: int = 16 << 30
    memory: int = 2048
    cpus: int = 1
    extra_disk: Path | None = None
    extra_disk_first: bool = False
    credentials: dict[str, bytes] = field(default_factory=dict)
    kernel_arguments: str = ""
    harness_shell: bool = True
    network: bool = True
    mac: str = "52:54:00:74:61:00"
    interactive: bool = False

    @property
    def serial(self) -> str:
        """The guest's name of its serial line, below /dev."""
        return "ttyS0" if self.arch == "x86_64" else "ttyAMA0"


@dataclass(frozen=True)
class Files:
    """Where the parts of a running machine are: sockets, the temporary disk and the record of its packets."""

    folder: Path

    @property
    def disk(self) -> Path:
        """The temporary overlay over the image (qcow2); with a disc the image itself is read, never written."""
        return self.folder / "disk.qcow2"

    @property
    def variables(self) -> Path:
        """UEFI variables (qcow2, so that snapshots hold them)."""
        return self.folder / "vars.qcow2"

    @property
    def monitor(self) -> Path:
        """QMP."""
        return self.folder / "qmp.sock"

    @property
    def serial(self) -> Path:
        """The serial line."""
        return self.folder / "serial.sock"

    @property
    def shell(self) -> Path:
        """The virtio serial port of the guest's shell."""
        return self.folder / "shell.sock"

    @property
    def packets(self) -> Path:
        """Every packet of the network card since it was switched on, in pcap format."""
        return self.folder / "packets.pcap"

    @property
    def sent(self) -> Path:
        """Those of them that the machine sent: what it is told by hardware address it can choose itself."""
        return self.folder / "sent.pcap"

    def boots(self) -> list[tuple[Path, Path]]:
        """Return `packets` and `sent` of each boot, the first one first; those of the present one may not be there."""
        earlier = sorted(self.folder.glob("packets-*.pcap"))
        return [
            *((path, self.folder / path.name.replace("packets", "sent")) for path in earlier),
            (self.packets, self.sent),
        ]

    def keep_packets(self) -> None:
        """Put the packets of the last boot aside: QEMU begins the files anew."""
        if self.packets.exists() and self.sent.exists():
            packets, sent = (self.folder / f"{kind}-{len(self.boots()) - 1:03}.pcap" for kind in ("packets", "sent"))
            self.packets.rename(packets)
            self.sent.rename(sent)


def build(
    settings: Settings, files: Files, image: Path, firmware: Firmware, accel: Acceleration, netdev: str
) -> list[str]:
    """Return QEMU's program and arguments for a machine.

    :param netdev: the network the card is on, as the value of -netdev without an id.
    """
    command = [f"qemu-system-{settings.arch}", "-nodefaults", "-no-user-config", "-display", "none"]
    command += ["-machine", _MACHINES[settings.arch]]
    command += accel.arguments(settings.arch)
    command += ["-smp", str(settings.cpus), "-m", str(settings.memory)]
    command += ["-device", "VGA" if settings.arch == "x86_64" else "ramfb"]  # what a screenshot is taken of
    command += ["-device", "qemu-xhci,id=xhci", "-device", "usb-kbd,bus=xhci.0"]
    command += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={firmware.code}"]
    command += ["-drive", f"if=pflash,unit=1,format=qcow2,file={files.variables}"]
    command += _medium(settings, files, image)
    if settings.kernel_arguments:
        extra = settings.kernel_arguments.replace(",", ",,")
        command += ["-smbios", f"type=11,value=io.systemd.stub.kernel-cmdline-extra={extra}"]
    command += ["-device", "virtio-rng-pci"]
    if settings.network:
        command += ["-netdev", f"{netdev},id=net", "-device", f"virtio-net-pci,netdev=net,mac={settings.mac},romfile="]
    return command + (["-serial", "mon:stdio"] if settings.interactive else _connections(settings, files))


def _connections(settings: Settings, files: Files) -> list[str]:
    """Return the arguments for what the harness holds in its hands: monitor, serial line, shell, packets."""
    command = ["-qmp", f"unix:{files.monitor},server=on,wait=off"]
    command += ["-chardev", f"socket,id=serial,path={files.serial},server=on,wait=off", "-serial", "chardev:serial"]
    command += ["-device", "virtio-serial-pci"]
    command += ["-chardev", f"socket,id=shell,path={files.shell},server=on,wait=off"]
    command += ["-device", f"virtserialport,chardev=shell,name={SHELL_PORT}"]
    if settings.network:
        # Queues are named from the network's side: what it receives is what the machine sends (qemu(1), "queue").
        for name, queue, path in (("dump", "all", files.packets), ("sent", "rx", files.sent)):
            command += ["-object", f"filter-dump,id={name},netdev=net,queue={queue},file={path},maxlen=65535"]
    return command


def _medium(settings: Settings, files: Files, image: Path) -> list[str]:
    image_name = str(image).replace(",", ",,")
    arguments = []
    first, second = (2, 1) if settings.extra_disk_first else (1, 2)
    if settings.medium == "cdrom":
        # A list of its own controller: "virt" has no IDE, and both have SCSI.
        arguments += ["-drive", f"if=none,id=medium,format=raw,readonly=on,media=cdrom,file={image_name}"]
        arguments += ["-device", "virtio-scsi-pci,id=scsi"]
        arguments += ["-device", f"scsi-cd,bus=scsi.0,drive=medium,bootindex={first}"]
    else:
        arguments += ["-drive", f"if=none,id=medium,format=qcow2,file={files.disk},discard=unmap,cache=unsafe"]
        device = "virtio-blk-pci" if settings.medium == "disk" else "usb-storage,bus=xhci.0"
        arguments += ["-device", f"{device},drive=medium,bootindex={first}"]
    if settings.extra_disk is not None:
        arguments += ["-drive", f"if=none,id=extra,format=qcow2,file={settings.extra_disk},cache=unsafe"]
        arguments += ["-device", f"virtio-blk-pci,drive=extra,bootindex={second}"]
    return arguments
