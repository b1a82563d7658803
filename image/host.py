"""What this host has and lacks for building and booting images, each with the mend."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from image import binfmt
from image.findings import FindingsError
from image.mirrors import KEYRING, host_mirrors
from image.mkosi import user_namespace
from image.paths import Paths
from image.progress import size
from image.toolbox import is_built, newest

State = Literal["ok", "note", "missing"]
#: Bytes that a cold build and a test run take.
SPACE = 12 << 30
#: Bytes of memory for two machines and a build.
MEMORY = 4 << 30


@dataclass(frozen=True)
class Fact:
    """One thing of the host. Only ``missing`` keeps a build from working."""

    what: str
    state: State
    found: str
    mend: str = ""


def facts(paths: Paths) -> list[Fact]:
    """Look at the host; nothing is changed and nothing is run that takes long."""
    checks: tuple[Callable[[Paths], Fact], ...] = (
        _archives,
        _owners,
        _namespaces,
        _space,
        _memory,
        _kvm,
        _foreign,
        _cached,
    )
    return [check(paths) for check in checks]


def _archives(_: Paths) -> Fact:
    try:
        mirrors = host_mirrors()
    except FindingsError as error:
        finding = error.findings[0]
        return Fact("package archive", "missing", finding.message, finding.hint or "")
    if not KEYRING.is_file():
        mend = "sudo apt-get install debian-archive-keyring"
        return Fact("package archive", "missing", f"its keys are not there ({KEYRING})", mend)
    return Fact("package archive", "ok", mirrors.main)


def _owners(_: Paths) -> Fact:
    what = "file owners in builds"
    try:
        prefix = user_namespace()
    except FindingsError as error:
        finding = error.findings[0]
        return Fact(what, "missing", finding.message, finding.hint or "")
    return Fact(what, "ok", "a range of subordinate ids" if prefix else "root")


def _namespaces(_: Paths) -> Fact:
    """By effect: a container's seccomp filter forbids them too, and no file tells."""
    what = "namespaces"
    if _works("unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), "--mount", "true"):
        return Fact(what, "ok", "allowed")
    for name, good in (("unprivileged_userns_clone", "1"), ("apparmor_restrict_unprivileged_userns", "0")):
        path = Path("/proc/sys/kernel") / name
        if os.geteuid() != 0 and path.exists() and path.read_text().strip() != good:
            return Fact(what, "missing", f"kernel.{name} is not {good}", f"sudo sysctl -w kernel.{name}={good}")
    return Fact(what, "missing", "unshare is refused", "outside of a container, or in one that may make namespaces")


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _space(paths: Paths) -> Fact:
    def existing(path: Path) -> Path:
        return path if path.exists() else existing(path.parent)

    free = {str(folder): shutil.disk_usage(existing(folder)).free for folder in (paths.cache, paths.build)}
    folder, least = min(free.items(), key=lambda item: item[1])
    mend = "" if least >= SPACE else f"free {size(SPACE - least)}, or set XDG_CACHE_HOME to another disk"
    return Fact("disk space", "ok" if least >= SPACE else "note", f"{size(least)} free for {folder}", mend)


def _memory(_: Paths) -> Fact:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    state: State = "ok" if total >= MEMORY else "note"
    return Fact("memory", state, size(total), "" if state == "ok" else "machines under test take 2 GiB each")


def _kvm(_: Paths) -> Fact:
    path = Path("/dev/kvm")
    if not path.exists():
        return Fact("KVM", "note", "/dev/kvm is not there", "machines run under TCG, some ten times slower")
    if not os.access(path, os.R_OK | os.W_OK):
        return Fact("KVM", "note", "/dev/kvm is not accessible", 'sudo usermod --append --groups kvm "$USER"')
    return Fact("KVM", "ok", "/dev/kvm opens; whether a guest runs is tried at the first ./inv test")


def _foreign(_: Paths) -> Fact:
    arch = "aarch64" if os.uname().machine == "x86_64" else "x86_64"
    what = f"building for {arch}"
    if binfmt.registered(arch):
        return Fact(what, "ok", "binfmt_misc runs its programs")
    if os.geteuid() == 0:
        return Fact(what, "ok", "./inv build --arch registers qemu-user with binfmt_misc by itself")
    return Fact(what, "note", "binfmt_misc does not run its programs", binfmt.MEND)


def _cached(paths: Paths) -> Fact:
    if is_built(paths.cache):
        return Fact("tools tree", "ok", str(newest(paths.cache)))
    return Fact("tools tree", "note", "not built yet", "the first ./inv build makes it, in one to two minutes")
