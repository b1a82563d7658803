"""Single packages of a Debian suite, through the host's apt with state of its own, as an ordinary user.

apt checks the archive's signature and, by the signed index, the package's hash; this module checks the index's date.
"""

import os
import re
import shutil
import subprocess
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

from image.findings import fail
from image.mirrors import Mirrors, checks_valid_until
from image.progress import Progress
from image.tree import make_folder


class Archive:
    """The packages of one suite. Nothing of the host's apt is changed or locked."""

    def __init__(self, state: Path, mirrors: Mirrors, suite: str) -> None:
        self._state = state
        self._mirrors = mirrors
        self.suite = suite

    def update(self, progress: Progress) -> None:
        """Fetch the suite's indexes.

        :raises FindingsError: when they can't be had, are not signed, or are out of date.
        """
        for folder in ("lists/partial", "cache/archives/partial", "etc", "download"):
            make_folder(self._state / folder)
        (self._state / "etc/suite.sources").write_text(self._mirrors.sources(self.suite))
        (self._state / "etc/apt.conf").write_text(self._mirrors.apt_conf())
        self._apt("update")
        self._refuse_stale(progress)

    def versions(self, package: str) -> list[str]:
        """Return the versions of `package` that the suite has, the newest first."""
        said = self._apt("madison", package, tool="apt-cache")
        return re.findall(rf"^\s*{re.escape(package)} \|\s+(\S+) \|", said, re.MULTILINE)

    def download(self, package: str, version: str) -> Path:
        """Download a package and return its file; the next download removes it."""
        folder = self._state / "download"
        for old in folder.glob("*.deb"):
            old.unlink()
        self._apt("download", f"{package}={version}", cwd=folder)
        return next(folder.glob("*.deb"))

    def _refuse_stale(self, progress: Progress) -> None:
        """Refuse an index whose Valid-Until has passed: an old one, replayed, brings back packages with holes.

        Where this host's apt is told not to mind (Acquire::Check-Valid-Until, for frozen archives), say so and go on.
        """
        for path in sorted((self._state / "lists").glob(f"*_dists_{self.suite}*_InRelease")):
            match = re.search(r"^Valid-Until: (.+)$", path.read_text(errors="replace"), re.MULTILINE)
            if not match or parsedate_to_datetime(match[1].strip()).timestamp() > time.time():
                continue
            name = path.name.rpartition("_dists_")[2].removesuffix("_InRelease")
            message = f"the archive's index of {name} was valid until {match[1]}"
            if not checks_valid_until():
                progress.note(f"note: {message}; this host's apt is told to take it (Acquire::Check-Valid-Until)")
                return
            raise fail(message, hint="use another mirror (--mirror), or correct this host's clock")

    def _apt(self, *arguments: str, tool: str = "apt-get", cwd: Path | None = None) -> str:
        state = self._state
        options = {
            "Dir::State": state,
            "Dir::State::lists": state / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": state / "cache",
            "Dir::Etc::sourcelist": state / "etc/suite.sources",
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
            lines = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))] or [
                done.stderr.strip()
            ]
            raise fail(
                f"fetching packages of {self.suite}: {tool} {arguments[0]} failed",
                hint="\n".join(lines[:6]) + "\ncheck the network and the mirror (--mirror)",
            )
        return done.stdout


def unpack(deb: Path, target: Path) -> None:
    """Unpack a package into the folder `target`, which is whole or not there."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    shutil.rmtree(beside, ignore_errors=True)
    done = subprocess.run(["dpkg-deb", "-x", deb, beside], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(beside, ignore_errors=True)
        raise fail(f"{deb.name} can't be unpacked: {done.stderr.strip()}")
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)
