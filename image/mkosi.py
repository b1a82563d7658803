"""A mkosi that is there, and how it is run: with all of the image's owners, for root and for an ordinary user alike."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from image.findings import fail
from image.toolbox import Toolbox
from image.tree import make_folder

#: Debian's own Python: the one that mkosi was packaged for, whatever comes first on somebody's PATH.
PYTHON = Path("/usr/bin/python3")


@dataclass(frozen=True)
class Mkosi:
    """A mkosi.

    :param path: the folder that holds its Python package.
    :param sha256: of the Debian package that it came from.
    """

    path: Path
    version: str
    sha256: str
    cache: Path

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs mkosi.

        :raises FindingsError: for an ordinary user without a range of subordinate ids.
        """
        return [*user_namespace(), str(PYTHON), "-m", "mkosi", *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment to run it in. mkosi's workspace and its own cache follow $XDG_CACHE_HOME."""
        base = self.cache / "mkosi"
        make_folder(base)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MKOSI_", "PYTHON"))}
        # A normal user's PATH has no sbin, where mkosi's helpers are.
        path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
        return {
            **kept,
            "PATH": path,
            "PYTHONPATH": str(self.path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_CACHE_HOME": str(base),
        }

    def toolbox(self, tree: Path) -> Toolbox:
        """Return the way to run the programs of the tools tree `tree`."""
        return Toolbox(PYTHON, self.path, tree)

    def remove_tree(self, path: Path) -> None:
        """Remove a folder with files of mapped owners in it. Nothing happens when it is not there."""
        remove_mapped(path)


def remove_mapped(path: Path) -> None:
    """Remove a folder with files of mapped owners in it. Nothing happens when it is not there."""
    if path.exists():
        subprocess.run([*user_namespace(), "rm", "-rf", "--one-file-system", "--", str(path)], check=False)


def user_namespace() -> list[str]:
    """Return what to put before a command so that it may own files as any user of an image: nothing for root.

    Without a range of ids mkosi maps one id and suppresses chown: /etc/shadow then has group 0 and unix_chkpwd is
    setgid root, silently (unshare(1), subuid(5), newuidmap(1)).

    :raises FindingsError: when this user has no range, or newuidmap is missing; with the line to run.
    """
    if os.geteuid() == 0:
        return []
    user = pwd.getpwuid(os.geteuid()).pw_name
    if shutil.which("newuidmap", path=f"{os.environ.get('PATH', '')}:/usr/bin") is None:
        raise fail("newuidmap is missing", hint="sudo apt-get install uidmap")
    for file in ("/etc/subuid", "/etc/subgid"):
        if not _has_range(Path(file), user, os.geteuid()):
            hint = f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
            raise fail(f"the user {user} has no range of 65536 ids in {file}", hint=hint)
    return ["unshare", "--map-root-user", "--map-auto"]


def _has_range(file: Path, user: str, uid: int) -> bool:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return False
    for line in lines:
        name, _, rest = line.partition(":")
        count = rest.rpartition(":")[2]
        if name in (user, str(uid)) and count.isdigit() and int(count) >= 65536:
            return True
    return False
