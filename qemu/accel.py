"""KVM or TCG: decided by running a guest, not by looking at /dev/kvm.

There are hosts where /dev/kvm opens, a machine can be created, and a stock kernel then dies in its decompressor. So the
probe starts the image under KVM and waits for its kernel to speak; the answer holds until the host boots again.
"""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from qemu.firmware import Firmware
from qemu.tools import Tools

#: Seconds within which a kernel under a working KVM has long spoken. TCG needs 10 to 15 for the same.
PATIENCE = 40
_SIGN_OF_LIFE = b"Linux version"


@dataclass(frozen=True)
class Acceleration:
    """What QEMU runs on, and why.

    :param name: ``kvm`` or ``tcg``.
    """

    name: str
    reason: str

    def arguments(self) -> list[str]:
        """Return QEMU's arguments."""
        if self.name == "kvm":
            return ["-accel", "kvm", "-cpu", "host"]
        return ["-accel", "tcg,thread=multi", "-cpu", "max"]


def choose(tools: Tools, firmware: Firmware, image: Path, arch: str, cache: Path) -> Acceleration:
    """Return the acceleration to use for guests of `arch`.

    :param image: an image of that architecture, which the probe starts without writing to it.
    :param cache: a folder in which the answer is remembered for this boot of the host.
    """
    if arch != os.uname().machine:
        return Acceleration("tcg", f"the guest's architecture {arch} is not this host's")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Acceleration("tcg", "/dev/kvm is missing or not accessible")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    memory = cache / "kvm.json"
    try:
        remembered = json.loads(memory.read_text())
        if remembered["boot"] == boot:
            return Acceleration(remembered["name"], remembered["reason"])
    except (OSError, ValueError, KeyError):
        pass
    works = _probe(tools, firmware, image)
    result = (
        Acceleration("kvm", "a guest ran under KVM")
        if works
        else Acceleration("tcg", "a guest under KVM did not get as far as its kernel's first line")
    )
    cache.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({"boot": boot, "name": result.name, "reason": result.reason}))
    return result


def _probe(tools: Tools, firmware: Firmware, image: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix="tau-kvm-") as folder:
        serial = Path(folder) / "serial"
        command = tools.command(
            "qemu-system-x86_64" if os.uname().machine == "x86_64" else "qemu-system-aarch64",
            *("-machine", "q35" if os.uname().machine == "x86_64" else "virt"),
            *("-accel", "kvm", "-cpu", "host", "-m", "1024", "-nodefaults", "-display", "none", "-no-reboot"),
            *("-drive", f"if=pflash,format=raw,readonly=on,file={firmware.code}"),
            *("-drive", f"if=pflash,format=raw,snapshot=on,file={firmware.variables}"),
            *("-drive", f"if=none,id=disk,format=raw,snapshot=on,file={str(image).replace(',', ',,')}"),
            *("-device", "virtio-blk-pci,drive=disk,bootindex=1"),
            *("-serial", f"file:{serial}"),
        )
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline and process.poll() is None:
                if serial.exists() and _SIGN_OF_LIFE in serial.read_bytes():
                    return True
                time.sleep(0.2)
            return False
        finally:
            process.kill()
            process.wait()
