"""Find, fetch and verify mkosi, which is not on PyPI.

Debian's package is fetched through the host's apt with state of its own, as an ordinary user. apt checks the archive's
signature, this module the date and the package's hash. It is pure Python and is run from the cache.
"""

import os
import re
import shutil
import subprocess
import time
import tomllib
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from image.artefact import sha256_file
from image.findings import Finding, FindingsError, fail
from image.mirrors import Mirrors, checks_valid_until
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
            with progress.step("Fetching mkosi") as step:
                deb, version = _fetch(base / "apt", mirrors, lock, progress)
                digest = sha256_file(deb)
                step.update(f"{version}, {digest[:16]}…")
            if version != known["version"]:
                progress.note(
                    f"note: mkosi {version} is used, within the tested range; {known['version']} is no longer to be had"
                )
            elif digest != known["sha256"]:
                raise fail(
                    f"mkosi {version} from the archive has the SHA-256 {digest}, and not {known['sha256']}",
                    hint="somebody has changed the package, or image/mkosi.toml is wrong",
                )
            unpacked = base / digest
            _unpack(deb, unpacked)
        return Mkosi(unpacked / _PACKAGES, _version(unpacked / _PACKAGES), unpacked.name, paths.cache)


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


def _fetch(state: Path, mirrors: Mirrors, lock: dict[str, Any], progress: Progress) -> tuple[Path, str]:
    """Download the package; return it and its version. apt checks the signature of the list that names its hash."""
    for folder in ("lists/partial", "cache/archives/partial", "etc", "download"):
        make_folder(state / folder)
    suite = lock["suite"]
    (state / "etc/sources.sources").write_text(mirrors.sources(suite))
    (state / "etc/apt.conf").write_text(mirrors.apt_conf())
    _apt(state, "update")
    _refuse_stale(state / "lists", suite, progress)
    available = re.findall(
        rf"^\s*{lock['package']} \|\s+(\S+) \|", _apt(state, "madison", lock["package"], tool="apt-cache"), re.MULTILINE
    )
    wanted = [version for version in available if version == lock["known"]["version"]]
    wanted += [version for version in available if version.startswith(lock["range"])]
    if not wanted:
        raise fail(
            f"{suite} has mkosi {', '.join(available) or 'in no version'}, and {lock['range']}* is what was tested",
            hint="fetch a mkosi of that range yourself and name its folder: --mkosi PATH",
        )
    for old in (state / "download").glob("*.deb"):
        old.unlink()
    _apt(state, "download", f"{lock['package']}={wanted[0]}", cwd=state / "download")
    return next((state / "download").glob("*.deb")), wanted[0]


def _refuse_stale(lists: Path, suite: str, progress: Progress) -> None:
    """Refuse an index whose Valid-Until has passed: an old one, replayed, would bring back packages with known holes.

    Where this host's apt is told not to mind (Acquire::Check-Valid-Until, for frozen archives), say so and go on.
    """
    for path in sorted(lists.glob(f"*_dists_{suite}*_InRelease")):
        match = re.search(r"^Valid-Until: (.+)$", path.read_text(errors="replace"), re.MULTILINE)
        if not match or parsedate_to_datetime(match[1].strip()).timestamp() > time.time():
            continue
        name = path.name.rpartition("_dists_")[2].removesuffix("_InRelease")
        message = f"the archive's index of {name} was valid until {match[1]}"
        if not checks_valid_until():
            progress.note(f"note: {message}; this host's apt is told to take it (Acquire::Check-Valid-Until)")
            return
        raise fail(message, hint="use another mirror (--mirror), or correct this host's clock")


def _apt(state: Path, *arguments: str, tool: str = "apt-get", cwd: Path | None = None) -> str:
    options = {
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": state / "cache",
        "Dir::Etc::sourcelist": state / "etc/sources.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
    }
    flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "APT_CONFIG": str(state / "etc/apt.conf")}
    command = [tool, "-q", *flags, *arguments]
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise fail(f"{tool} can't be run: {error.strerror}", hint="a Debian 12 or 13 host is needed") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))] or [done.stderr.strip()]
        raise fail(
            f"fetching mkosi: {tool} {arguments[0]} failed",
            hint="\n".join(lines[:6]) + "\ncheck the network and the mirror (--mirror), or use --mkosi PATH",
        )
    return done.stdout


def _unpack(deb: Path, target: Path) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    shutil.rmtree(beside, ignore_errors=True)
    done = subprocess.run(["dpkg-deb", "-x", deb, beside], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(beside, ignore_errors=True)
        raise fail(f"{deb.name} can't be unpacked: {done.stderr.strip()}")
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)
