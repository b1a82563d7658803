"""KVM or TCG: decided by running a guest, not by looking at /dev/kvm.

There are hosts where /dev/kvm opens, a machine can be created, and a stock kernel then dies in its decompressor. So the
probe starts the image under KVM and waits for its kernel to speak; the answer holds until the host boots again.
"""

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from qemu.firmware import Firmware
from qemu.process import Guarded
from qemu.tools import Tools

#: Seconds within which a kernel under a working KVM has long spoken. TCG needs 10 to 15 for the same.
PATIENCE = 40
#: Seconds without a word after which it is given up: firmware and kernel under KVM need two together.
SILENCE = 15
#: The processor that is emulated: all that QEMU knows, so that defences that need it are tried too. On aarch64 pointer
#: authentication is by QEMU's own cipher (docs/system/arm/cpu-features), and scalable vectors and addresses of 52 bits
#: are left out: they defend nothing, and with them a boot took 220 s of processor time instead of 126. On x86_64 the
#: fast string instructions are left out: the kernel would clear and copy pages with "rep stosb" and "rep movsb", which
#: TCG does byte by byte (target/i386/tcg); with them a boot took 103 s of processor time instead of 86. And no machine
#: has guests of its own: with "svm" each boot loads KVM.
_EMULATED = {
    "x86_64": "max,erms=off,fsrm=off,fzrm=off,fsrs=off,svm=off",
    "aarch64": "max,pauth-impdef=on,sve=off,sme=off,lpa2=off",
}
_SIGN_OF_LIFE = b"Linux version"
#: What QEMU prints when it stops a guest for good, and then waits for ever (accel/kvm/kvm-all.c).
_CRASH = b"KVM internal error"


@dataclass(frozen=True)
class Acceleration:
    """What QEMU runs on, and why.

    :param name: ``kvm`` or ``tcg``.
    """

    name: str
    reason: str

    def arguments(self, arch: str) -> list[str]:
        """Return QEMU's arguments for a guest of `arch`."""
        if self.name == "kvm":
            return ["-accel", "kvm", "-cpu", "host"]
        return ["-accel", "tcg,thread=multi", "-cpu", _EMULATED[arch]]


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
    failure = _probe(tools, firmware, image)
    return give_up(cache, failure) if failure else _remember(cache, Acceleration("kvm", "a guest ran under KVM"))


def give_up(cache: Path, reason: str) -> Acceleration:
    """Return TCG, and remember it for this boot of the host: a guest has died under KVM."""
    return _remember(cache, Acceleration("tcg", reason))


def _remember(cache: Path, result: Acceleration) -> Acceleration:
    cache.mkdir(parents=True, exist_ok=True)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (cache / "kvm.json").write_text(json.dumps({"boot": boot, "name": result.name, "reason": result.reason}))
    return result


def _probe(tools: Tools, firmware: Firmware, image: Path) -> str:
    """Start a guest under KVM; returns why it does not get as far as its kernel's first line, or nothing if it does."""
    with tempfile.TemporaryDirectory(prefix="tau-kvm-") as folder:
        serial, log = Path(folder) / "serial", Path(folder) / "log"
        native = os.uname().machine
        command = tools.command(
            f"qemu-system-{native}",
            *("-machine", "q35" if native == "x86_64" else "virt"),
            *("-accel", "kvm", "-cpu", "host", "-m", "1024", "-nodefaults", "-display", "none", "-no-reboot"),
            *("-drive", f"if=pflash,format=raw,readonly=on,file={firmware.code}"),
            *("-drive", f"if=pflash,format=raw,snapshot=on,file={firmware.variables}"),
            *("-drive", f"if=none,id=disk,format=raw,snapshot=on,file={str(image).replace(',', ',,')}"),
            *("-device", "virtio-blk-pci,drive=disk,bootindex=1"),
            *("-serial", f"file:{serial}"),
        )
        process = Guarded(command, log)
        try:
            return _watch(process, serial, log)
        finally:
            process.kill()


def _watch(process: Guarded, serial: Path, log: Path) -> str:
    seen, spoke = b"", time.monotonic()
    deadline = spoke + PATIENCE
    while time.monotonic() < deadline:
        ended = process.returncode is not None  # looked at first: what it said last must still be read
        said = serial.read_bytes() if serial.exists() else b""
        if _SIGN_OF_LIFE in said:
            return ""
        if _CRASH in log.read_bytes():
            return "a guest under KVM crashed at once (KVM internal error)"
        if ended:
            return f"QEMU under KVM ended: {process.said(1)}"
        if said != seen:
            seen, spoke = said, time.monotonic()
        elif time.monotonic() > spoke + SILENCE:
            return f"a guest under KVM fell silent for {SILENCE} s before its kernel's first line"
        time.sleep(0.1)
    return "a guest under KVM did not get as far as its kernel's first line"
