"""What Debian packages bring into a sample app's folder: fetched once, and copied from the cache from then on.

A sample that needs some has a list of them (:data:`LIST`): a line for each package, with the files of it that are
wanted, as patterns of paths in which ``*`` is any name. Programs of other people's are not kept in the repository.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from image.debian import Archive, unpack
from image.findings import Finding, FindingsError
from image.mirrors import host_mirrors
from image.overlay import Architecture
from image.progress import Progress
from image.tree import make_folder

LIST = "packages.txt"
#: The release that the runtime is made of, org.tauos.base/13.
SUITE = "trixie"
#: Where a package's files go to in an app's folder, by where they lie in the package.
_PLACES = {"usr/bin": "bin", "usr/lib": "lib"}


@dataclass(frozen=True)
class Wanted:
    """A package, and what of it is wanted: patterns of paths, relative to the root."""

    package: str
    patterns: tuple[str, ...]


def read_list(path: Path) -> tuple[Wanted, ...]:
    """Read a list of packages; empty lines and what follows a # is for people.

    :raises FindingsError: for a line without patterns, or with one that is no path of a program or a library.
    """
    found = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        package, *patterns = words
        if not patterns or not all(
            pattern.startswith(tuple(f"/{place}/" for place in _PLACES)) for pattern in patterns
        ):
            expected = "a package, and paths below /usr/bin or /usr/lib"
            raise FindingsError(
                [Finding(f"{line.strip()!r} names no files", file=path, line=number, expected=expected)]
            )
        found.append(Wanted(package, tuple(pattern.removeprefix("/") for pattern in patterns)))
    return tuple(found)


def assemble(sample: Path, target: Path, architecture: Architecture, cache: Path) -> None:
    """Copy a sample's folder to `target`, which is not there yet, with what its packages bring.

    :param cache: the folder of all that is fetched (:class:`image.paths.Paths`).
    :raises FindingsError: when a package can't be had, or holds no such files.
    """
    shutil.copytree(sample, target, ignore=shutil.ignore_patterns(LIST))
    wanted = read_list(sample / LIST) if (sample / LIST).is_file() else ()
    if not wanted:
        return
    packages = fetch(tuple(each.package for each in wanted), architecture, cache)
    for each in wanted:
        for source, place in _files(packages / each.package, each):
            make_folder((target / place).parent)
            shutil.copyfile(source, target / place, follow_symlinks=False)
            shutil.copymode(source, target / place, follow_symlinks=False)


def _files(unpacked: Path, wanted: Wanted) -> Iterator[tuple[Path, str]]:
    """Yield the files that are wanted of an unpacked package, each with its place in an app's folder.

    :raises FindingsError: when there is nothing for a pattern.
    """
    terms = f"usr/share/doc/{wanted.package}/copyright"
    for pattern in (*wanted.patterns, terms):
        found = sorted(unpacked.glob(pattern))
        if not found:
            raise FindingsError([Finding(f"the package {wanted.package} holds no /{pattern}")])
        for path in found:
            # The architecture's own folder in /usr/lib is left out: a program finds its libraries in one place.
            place = _PLACES.get("/".join(pattern.split("/")[:2]))
            yield path, f"{place}/{path.name}" if place else str(path.relative_to(unpacked / "usr"))


def fetch(packages: tuple[str, ...], architecture: Architecture, cache: Path) -> Path:
    """Return a folder that holds each of these packages, unpacked in a folder of its name.

    They are those of one moment: libraries fit the programs. What is in the cache is used as it is, without a network.

    :raises FindingsError: when they can't be had.
    """
    base = cache / "sample-packages" / architecture
    folder = base / ",".join(sorted(packages))
    make_folder(base)
    with FileLock(base / "lock"):
        if folder.is_dir():
            return folder
        beside = base / ".new"
        shutil.rmtree(beside, ignore_errors=True)  # of a process that was ended
        beside.mkdir()
        quiet = Progress(Console(quiet=True))
        archive = Archive(base / "apt", host_mirrors(), SUITE, architecture)
        archive.update(quiet)
        for package in packages:
            versions = archive.versions(package)
            if not versions:
                raise FindingsError([Finding(f"{SUITE} has no package {package} for {architecture}")])
            unpack(archive.download(package, versions[0]), beside / package)
        beside.rename(folder)
    return folder
