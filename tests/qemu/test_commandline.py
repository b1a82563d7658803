"""What QEMU is told: the image is never writable, the firmware neither, and nothing listens on the host's network."""

import itertools
from pathlib import Path

import pytest

from qemu import commandline
from qemu.accel import Acceleration
from qemu.commandline import Files, Medium, Settings
from qemu.firmware import Firmware

FIRMWARE = Firmware("/usr/share/OVMF/CODE.fd", "/usr/share/OVMF/VARS.fd")
TCG = Acceleration("tcg", "because")
IMAGE = Path("/images/tau_1_x86_64.raw")
FILES = Files(Path("/var/tmp/m"))
MEDIA: tuple[Medium, ...] = ("disk", "usb", "cdrom")


def build(settings: Settings, image: Path = IMAGE, accel: Acceleration = TCG) -> list[str]:
    return commandline.build(settings, FILES, image, FIRMWARE, accel, "stream,addr.path=/x")


def values(command: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(command) if name == option]


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_the_image_is_never_writable(medium: Medium, arch: str) -> None:
    drives = values(build(Settings(arch=arch, medium=medium)), "-drive")
    assert all("readonly=on" in drive for drive in drives if str(IMAGE) in drive)
    assert any(str(IMAGE) in drive for drive in drives) == (medium == "cdrom"), "a disk is an overlay of its own"
    assert all("readonly=on" in drive for drive in drives if FIRMWARE.code in drive)


@pytest.mark.parametrize("medium", MEDIA)
def test_what_can_be_written_can_hold_a_snapshot(medium: Medium) -> None:
    for drive in values(build(Settings(medium=medium)), "-drive"):
        assert "readonly=on" in drive or "format=qcow2" in drive, drive


@pytest.mark.parametrize(
    ("medium", "device"),
    [("disk", "virtio-blk-pci"), ("usb", "usb-storage,bus=xhci.0"), ("cdrom", "scsi-cd,bus=scsi.0")],
)
def test_the_medium(medium: Medium, device: str) -> None:
    assert f"{device},drive=medium,bootindex=1" in values(build(Settings(medium=medium)), "-device")


def test_a_disc_comes_without_a_disk() -> None:
    assert not any(str(FILES.disk) in word for word in build(Settings(medium="cdrom")))


def test_a_second_disk_may_be_tried_first() -> None:
    devices = values(build(Settings(medium="usb", extra_disk=Path("/d.qcow2"), extra_disk_first=True)), "-device")
    assert "virtio-blk-pci,drive=extra,bootindex=1" in devices
    assert "usb-storage,bus=xhci.0,drive=medium,bootindex=2" in devices


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_nothing_listens_but_sockets_in_its_folder(arch: str) -> None:
    command = build(Settings(arch=arch))
    listening = [word for word in command if "server=on" in word]
    assert listening
    assert all(str(FILES.folder) in word for word in listening)
    assert not any(word in " ".join(command) for word in ("hostfwd", "tcp:", "vnc", "spice", "-kernel", "-append"))


def test_every_packet_is_recorded_unless_there_is_no_card() -> None:
    dumps = [value for value in values(build(Settings()), "-object") if value.startswith("filter-dump")]
    assert [f"file={path}" in dump for path, dump in zip((FILES.packets, FILES.sent), dumps, strict=True)] == [
        True,
        True,
    ]
    assert ["queue=all" in dumps[0], "queue=rx" in dumps[1]] == [True, True]
    assert not any("net" in value for value in values(build(Settings(network=False)), "-device"))


def test_commas_are_kept_as_they_are() -> None:
    image = Path("/images/a,b.raw")
    assert any("file=/images/a,,b.raw" in drive for drive in values(build(Settings(medium="cdrom"), image), "-drive"))
    smbios = values(build(Settings(kernel_arguments="console=ttyS0,115200")), "-smbios")
    assert smbios == ["type=11,value=io.systemd.stub.kernel-cmdline-extra=console=ttyS0,,115200"]


def test_kvm_and_tcg() -> None:
    assert values(build(Settings(), accel=Acceleration("kvm", "")), "-accel") == ["kvm"]
    assert values(build(Settings()), "-accel") == ["tcg,thread=multi"]


def test_machine_of_each_architecture() -> None:
    assert build(Settings())[0] == "qemu-system-x86_64"
    aarch64 = build(Settings(arch="aarch64"))
    assert aarch64[0] == "qemu-system-aarch64"
    assert values(aarch64, "-machine")[0].startswith("virt")
    assert [Settings(arch=arch).serial for arch in ("x86_64", "aarch64")] == ["ttyS0", "ttyAMA0"]


def test_the_emulated_processor_has_what_the_kernel_can_use() -> None:
    """All of it but what only takes time; under KVM it is the host's."""
    assert values(build(Settings()), "-cpu")[0].startswith("max,erms=off,")
    assert values(build(Settings(arch="aarch64")), "-cpu")[0].startswith("max,pauth-impdef=on,sve=off,")
    assert values(build(Settings(arch="aarch64"), accel=Acceleration("kvm", "")), "-cpu") == ["host"]


def test_packets_of_earlier_boots_are_kept_in_order(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for number in range(3):
        files.keep_packets()
        files.packets.write_bytes(bytes([number]))
        files.sent.write_bytes(bytes([number]))
    kept = [(packets.read_bytes(), sent.read_bytes()) for packets, sent in files.boots()]
    assert kept == [(b"\0", b"\0"), (b"\1", b"\1"), (b"\2", b"\2")]
