"""The programs of the author's own system that make a bundle: whether they are there, and how they are run."""

import ctypes
import os
import re
import shutil
import subprocess

#: The programs, with the Debian package of each.
TOOLS = {"systemd-repart": "systemd-repart", "mkfs.erofs": "erofs-utils", "openssl": "openssl"}
#: What systemd-repart loads by this name when it is to make hashes (dlopen(3)); its package only suggests it.
LIBRARIES = {"libcryptsetup.so.12": "libcryptsetup12"}
#: Oldest systemd-repart that knows what is asked of it (--copy-source=, Minimize= of erofs).
OLDEST_REPART = 255
#: What `lz4hc` costs in time it saves in space; every kernel with erofs reads it (mkfs.erofs(1)). All files are
#: root's, and all as old as the epoch: the author's user and clock are nobody's business.
_MKFS_OPTIONS = "--all-root -T0 -zlz4hc,12 --quiet"


class PackError(Exception):
    """Why there is no bundle, for the author; one line for each thing that is wrong."""


def check_tools() -> None:
    """Look for the programs.

    :raises PackError: with those that this host lacks, and where to get them.
    """
    missing = {name: package for name, package in TOOLS.items() if _which(name) is None}
    missing |= {name: package for name, package in LIBRARIES.items() if not _loads(name)}
    if missing:
        packages = " ".join(missing.values())
        raise PackError(f"{', '.join(missing)} not found\n    sudo apt-get install {packages}")
    said = run("systemd-repart", "--version").stdout
    version = re.search(r"systemd (\d+)", said)
    if not version or int(version[1]) < OLDEST_REPART:
        found = version[1] if version else "unknown"
        raise PackError(f"systemd-repart is of version {found}; {OLDEST_REPART} or later is needed (Debian 13 has it)")


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the programs to its end, with nothing of the author's settings that would change what it makes."""
    environment = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "0",
        "SYSTEMD_LOG_COLOR": "0",
        "SYSTEMD_REPART_MKFS_OPTIONS_EROFS": _MKFS_OPTIONS,
        "PATH": _path(),
    }
    command = [_which(program) or program, *arguments]
    nothing = subprocess.DEVNULL
    return subprocess.run(
        command, env=environment, stdin=nothing, capture_output=True, text=True, errors="replace", check=False
    )


def indented(text: str) -> str:
    """Return the end of what a program has said, as it stands below a message of ours."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-10:])


def _path() -> str:
    """PATH with the folders that an ordinary user of Debian has not got in it, and where mkfs programs lie."""
    return f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"


def _which(program: str) -> str | None:
    return shutil.which(program, path=_path())


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
