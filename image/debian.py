"""Single packages of a Debian suite, through the host's apt with state of its own, as an ordinary user.

apt checks the archive's signature and, by the signed index, the package's hash; the index's date is checked here.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from image.findings import fail
from image.indexes import read_indexes, refuse_stale
from image.mirrors import Mirrors
from image.overlay import Architecture
from image.progress import Progress
from image.tree import make_folder

#: Debian's names of the architectures (dpkg-architecture(1)).
ARCHITECTURES: dict[Architecture, str] = {"x86_64": "amd64", "aarch64": "arm64"}


class Archive:
    """The packages of one suite. Nothing of the host's apt is changed or locked.

    :param state: a folder of apt's own; each architecture needs another.
    :param architecture: of the packages, whatever this host is; None for the host's and those of its dpkg.
    """

    def __init__(self, state: Path, mirrors: Mirrors, suite: str, architecture: Architecture | None = None) -> None:
        self._state = state
        self._mirrors = mirrors
        self._architecture = architecture
        self.suite = suite

    def update(self, progress: Progress) -> None:
        """Fetch the suite's indexes.

        :raises FindingsError: when they can't be had, are not signed, or are out of date.
        """
        for folder in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d", "download"):
            make_folder(self._state / folder)
        (self._state / "etc/suite.sources").write_text(self._mirrors.sources(self.suite))
        (self._state / "etc/apt.conf").write_text(self._mirrors.apt_conf())
        # Read before any other configuration, and the only place that can keep apt from /etc/apt (apt.conf(5)): this
        # host's hooks (APT::Update::Post-Invoke) are not run for us.
        (self._state / "apt.conf").write_text(f'Dir::Etc "{self._state / "etc"}";\n')
        self._apt("update")
        refuse_stale(read_indexes(self._state / "lists"), progress)

    def versions(self, package: str) -> list[str]:
        """Return the versions of `package` that the suite has, the newest first."""
        said = self._apt("madison", package, tool="apt-cache")
        return re.findall(rf"^\s*{re.escape(package)} \|\s+(\S+) \|", said, re.MULTILINE)

    def needed(self, *packages: str) -> dict[str, str]:
        """Return the packages and all that they depend on, each with its version; not what is only recommended.

        :raises FindingsError: when one is not there, or can't be installed with the others.
        """
        said = self._apt("install", "--simulate", "--no-install-recommends", *packages)
        return dict(re.findall(r"^Inst (\S+) \((\S+) ", said, re.MULTILINE))

    def download(self, package: str, version: str) -> Path:
        """Download a package and return its file; the next download removes it."""
        folder = self._state / "download"
        for old in folder.glob("*.deb"):
            old.unlink()
        self._apt("download", f"{package}={version}", cwd=folder)
        return next(folder.glob("*.deb"))

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
            "Acquire::Check-Valid-Until": "false",  # refuse_stale() looks at it, and tells more
            "APT::Sandbox::User": "",
        }
        if self._architecture is not None:
            # The list, too: without it apt adds the foreign architectures of this host's dpkg.
            options |= dict.fromkeys(("APT::Architecture", "APT::Architectures"), ARCHITECTURES[self._architecture])
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "APT_CONFIG": str(state / "apt.conf")}
        command = [tool, "-q", *flags, *arguments]
        try:
            done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        except OSError as error:
            raise fail(f"{tool} can't be run: {error.strerror}", hint="a Debian 12 or 13 host is needed") from None
        if done.returncode != 0:
            lines = failures(done.stdout + done.stderr) or [done.stderr.strip()]
            raise fail(
                f"fetching packages of {self.suite}: {tool} {arguments[0]} failed",
                hint="\n".join(lines[:6]) + "\ncheck the network and the mirror (--mirror)",
            )
        return done.stdout


def failures(said: str) -> list[str]:
    """Return the lines in which apt says what went wrong, without those that only say so again.

    The reason of a failed download stands below its "Err:" line; the "E:" line of an index that is not there (404)
    only claims that the archive "is not signed".
    """
    lines = [line.rstrip() for line in said.splitlines()]
    reasons = [
        f"{re.sub(r'^Err:[0-9]+ ', '', line)}: {following.strip()}"
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith("Err:") and following.startswith("  ")
    ]
    again = (
        "Some index files failed|Unable to fetch some archives|Failed to fetch|The repository" if reasons else r"(?!)"
    )
    told = [line for line in lines if re.match("[EW]: ", line) and not re.match(f"[EW]: ({again})", line)]
    return list(dict.fromkeys([*reasons, *told]))


def unpack(deb: Path, target: Path) -> None:
    """Unpack a package into the folder `target`, which is whole or not there."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        done = subprocess.run(["dpkg-deb", "-x", deb, beside], stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise fail(f"{deb.name} can't be unpacked: {done.stderr.strip()}")
        shutil.rmtree(target, ignore_errors=True)
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
