"""Find, fetch and verify mkosi. It is not on PyPI; Debian's package is pure Python and is run from the cache."""

import tomllib
from pathlib import Path
from typing import Any

from filelock import FileLock

from image.artefact import sha256_file
from image.debian import Archive, unpack
from image.findings import Finding, FindingsError, fail
from image.mirrors import Mirrors
from image.mkosi import Mkosi
from image.paths import Paths
from image.progress import Progress
from image.tree import make_folder

_PACKAGES = "usr/lib/python3/dist-packages"


def lock_data() -> dict[str, Any]:
    """Return the content of mkosi.toml."""
    return tomllib.loads((Path(__file__).parent / "mkosi.toml").read_text())


def ensure_mkosi(paths: Paths, mirrors: Mirrors, override: str, progress: Progress) -> Mkosi:
    """Return the mkosi to use: `override`, else the known one, else one of the tested range.

    :param override: the folder that holds a mkosi's Python package, or nothing.
    :raises FindingsError: when none can be had.
    """
    if override:
        return _own(Path(override).resolve(), paths)
    lock = lock_data()
    known, base = lock["known"], paths.cache / "mkosi-package"
    make_folder(base)
    with FileLock(base / "lock"):
        unpacked = base / known["sha256"]
        if not (unpacked / _PACKAGES / "mkosi").is_dir():
            unpacked = _fetched(base, lock, mirrors, progress)
        version = _version(unpacked / _PACKAGES)
        if unpacked.name != known["sha256"]:
            progress.note(f"note: mkosi {version} is used, of the tested range; the known good is {known['version']}")
        return Mkosi(unpacked / _PACKAGES, version, unpacked.name, paths.cache)


def _fetched(base: Path, lock: dict[str, Any], mirrors: Mirrors, progress: Progress) -> Path:
    """Fetch, check and unpack mkosi below `base`; where that can't be, return the substitute of an earlier run."""
    known = lock["known"]
    try:
        with progress.step("Fetching mkosi") as step:
            archive = Archive(base / "apt", mirrors, lock["suite"])
            archive.update(progress)
            deb, version = _fetch(archive, lock)
            digest = sha256_file(deb)
            step.update(f"{version}, {digest[:16]}…")
    except FindingsError as error:
        old = _substitute(base, lock)
        if old is None:
            raise
        progress.note(f"note: {error.findings[0].message}; the cache's mkosi serves")
        return old
    if version == known["version"] and digest != known["sha256"]:
        raise fail(
            f"mkosi {version} from the archive has the SHA-256 {digest}, and not {known['sha256']}",
            hint="somebody has changed the package, or image/mkosi.toml is wrong",
        )
    unpack(deb, base / digest)
    return base / digest


def _substitute(base: Path, lock: dict[str, Any]) -> Path | None:
    """Return the mkosi of the tested range that was fetched last, or None."""
    unpacked = base.glob("[0-9a-f]" * 64)
    found = [folder for folder in unpacked if _version(folder / _PACKAGES).startswith(lock["range"])]
    return max(found, key=lambda folder: folder.stat().st_ctime, default=None)


def _own(folder: Path, paths: Paths) -> Mkosi:
    if not (folder / "mkosi" / "__main__.py").is_file():
        raise FindingsError(
            [Finding("holds no mkosi/__main__.py", file=folder, hint="--mkosi takes mkosi's source folder")]
        )
    return Mkosi(folder, _version(folder), "none: --mkosi", paths.cache)


def _version(packages: Path) -> str:
    for info in packages.glob("mkosi-*.dist-info"):
        return info.name.removeprefix("mkosi-").removesuffix(".dist-info")
    return "unknown"


def _fetch(archive: Archive, lock: dict[str, Any]) -> tuple[Path, str]:
    """Download the known version, else the newest of the tested range; return the package and its version."""
    available = archive.versions(lock["package"])
    wanted = [version for version in available if version == lock["known"]["version"]]
    wanted += [version for version in available if version.startswith(lock["range"])]
    if not wanted:
        raise fail(
            f"{archive.suite} has mkosi {', '.join(available) or 'in no version'}; {lock['range']}* is what was tested",
            hint="fetch a mkosi of that range yourself and name its folder: --mkosi PATH",
        )
    return archive.download(lock["package"], wanted[0]), wanted[0]
