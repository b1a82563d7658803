"""Programs of another architecture: binfmt_misc and qemu-user, for a build for that architecture on this host."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock

from image.debian import Archive, unpack
from image.findings import fail
from image.mirrors import Mirrors
from image.paths import Paths
from image.progress import Progress
from image.tree import make_folder

MEND = "sudo apt-get install qemu-user-static binfmt-support"
_FOLDER = Path("/proc/sys/fs/binfmt_misc")
#: ELF headers as binfmt_misc matches them: 64 bit, little endian, executable or shared object, machine 183 or 62
#: (kernel: admin-guide/binfmt-misc.rst; the same masks as qemu's own scripts/qemu-binfmt-conf.sh).
_MACHINES = {"aarch64": 183, "x86_64": 62}


def registered(arch: str) -> bool:
    """Whether this host runs programs of `arch`: natively, or by an enabled handler that is found in any root."""
    if arch == os.uname().machine:
        return True
    for path in _FOLDER.glob("*"):
        if path.name in ("register", "status"):
            continue
        try:
            text = path.read_text()
        except OSError:
            continue
        # "F": the interpreter was opened at registration, so that it is found from inside an image as well.
        flags = next((line.removeprefix("flags:") for line in text.splitlines() if line.startswith("flags:")), "")
        if text.startswith("enabled") and "F" in flags and f"qemu-{arch}" in text:
            return True
    return False


def ensure(arch: str, paths: Paths, mirrors: Mirrors, progress: Progress) -> None:
    """Make this host run programs of `arch`; root does it with forky's qemu-user, kept in the cache.

    :raises FindingsError: for an ordinary user, with the line to run, or when the kernel can't.
    """
    if registered(arch):
        return
    message = f"this host does not run programs of {arch}, which a build for it needs"
    if os.geteuid() != 0:
        raise fail(message, hint=MEND)
    interpreter = _interpreter(arch, paths, mirrors, progress)
    if not (_FOLDER / "register").exists():
        for command in (
            ["modprobe", "--quiet", "binfmt_misc"],
            ["mount", "-t", "binfmt_misc", "binfmt_misc", str(_FOLDER)],
        ):
            with contextlib.suppress(OSError):  # a host without modprobe has it built in
                subprocess.run(command, capture_output=True, check=False)
    try:
        (_FOLDER / "register").write_bytes(_rule(arch, interpreter))
    except OSError as error:
        raise fail(f"{message}; binfmt_misc: {error.strerror}", hint=MEND) from error
    progress.note(f"programs of {arch} now run on this host, through {interpreter} (until it restarts)")


def _interpreter(arch: str, paths: Paths, mirrors: Mirrors, progress: Progress) -> Path:
    """The static qemu-user of forky: fetched once, the one program kept (the package has 470 MB)."""
    base = paths.cache / "qemu-user"
    program = base / f"qemu-{arch}"
    make_folder(base)
    with FileLock(base / "lock"):
        if not program.is_file():
            with progress.step("Fetching qemu-user") as step:
                archive = Archive(base / "apt", mirrors, "forky")
                archive.update(progress)
                version = archive.versions("qemu-user")[0]
                unpack(archive.download("qemu-user", version), base / "unpacked")
                (base / "unpacked" / "usr" / "bin" / program.name).rename(program)
                shutil.rmtree(base / "unpacked")
                shutil.rmtree(base / "apt" / "download")
                step.update(version)
    return program


def _rule(arch: str, interpreter: Path) -> bytes:
    magic = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + bytes([_MACHINES[arch], 0])
    mask = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + b"\xfe\xff\xff\xff"

    def escaped(data: bytes) -> str:
        return "".join(f"\\x{byte:02x}" for byte in data)

    # P: keep argv[0]. O, C: open the program, and take its credentials: setuid programs in a chroot. F: see above.
    return f":tau-{arch}:M::{escaped(magic)}:{escaped(mask)}:{interpreter}:POCF".encode()
