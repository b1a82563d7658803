"""What Flatpak needs of Debian's packages and an image lacks, as one archive of files to lay over its /usr.

Fetched once and kept in the cache: the packages are those of the image's release, checked as all others are.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from image.debian import Archive, unpack
from image.findings import fail
from image.mirrors import Mirrors
from image.overlay import Architecture
from image.progress import Progress
from image.tree import make_folder

#: The release that the image is made of.
SUITE = "trixie"
#: What is compared with, and a bus of the user's: where Flatpak is used there is one, and it has a proxy for it.
WANTED = ("flatpak", "bubblewrap", "dbus-user-session")
#: What no program reads to run another.
_USELESS = ("bash-completion", "doc", "fish", "info", "lintian", "locale", "man", "mime", "zsh")


@dataclass(frozen=True)
class Laid:
    """Files to lay over /usr.

    :param archive: a tar file, whose paths begin with ``usr/``.
    :param versions: of the packages in it, by name.
    """

    archive: Path
    versions: dict[str, str]


def fetch(have: Collection[str], architecture: Architecture, mirrors: Mirrors, cache: Path) -> Laid:
    """Return what is missing of :data:`WANTED` and all that they depend on.

    What is in the cache for the same image's packages is used as it is, without a network.

    :param have: the names of the packages that the image has.
    :param cache: the folder of all that is fetched (:class:`image.paths.Paths`).
    :raises FindingsError: when they can't be had.
    """
    base = cache / "bench-packages" / architecture
    folder = base / hashlib.sha256("\n".join(sorted(have)).encode()).hexdigest()[:16]
    make_folder(base)
    with FileLock(base / "lock"):
        if not folder.is_dir():
            beside = base / ".new"
            shutil.rmtree(beside, ignore_errors=True)  # of a process that was ended
            (beside / "packages").mkdir(parents=True)
            archive = Archive(base / "apt", mirrors, SUITE, architecture)
            archive.update(Progress(Console(quiet=True)))
            missing = {name: version for name, version in archive.needed(*WANTED).items() if name not in have}
            for name, version in missing.items():
                unpack(archive.download(name, version), beside / "packages" / name)
            _pack(beside / "packages", beside / "usr.tar")
            shutil.rmtree(beside / "packages")
            (beside / "versions.json").write_text(json.dumps(missing))
            beside.rename(folder)
    return Laid(folder / "usr.tar", json.loads((folder / "versions.json").read_text()))


def _pack(packages: Path, target: Path) -> None:
    """Put the /usr of all packages into one archive, owned by root.

    :raises FindingsError: when tar(1) fails.
    """
    merged = packages.parent / "merged"
    for package in sorted(packages.iterdir()):
        shutil.copytree(package / "usr", merged / "usr", symlinks=True, dirs_exist_ok=True)
    for name in _USELESS:
        shutil.rmtree(merged / "usr/share" / name, ignore_errors=True)
    command = ["tar", "--create", "--owner=0", "--group=0", "--sort=name", f"--file={target}", "usr"]
    done = subprocess.run(command, cwd=merged, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise fail(f"tar can't pack the packages of Flatpak: {done.stderr.strip()}")
    shutil.rmtree(merged)
