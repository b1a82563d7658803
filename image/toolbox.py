"""Run programs of the tools tree on this host, through mkosi's sandbox: the same versions whatever the host has."""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from image.findings import fail

#: In the cache, below "tools": a folder for the tree of each recipe, and a link to the newest of these folders.
TREES, CURRENT = "trees", "current"
#: In such a folder: the tree, and a link to the folder of the mkosi that goes with it.
TREE, PYTHON_PATH = "mkosi.tools", "python"


@dataclass(frozen=True)
class Toolbox:
    """A tools tree and what runs its programs.

    :param python: the interpreter for the sandbox.
    :param mkosi: the folder that holds mkosi's Python package.
    :param tree: the root of the tools tree.
    """

    python: Path
    mkosi: Path
    tree: Path
    namespace: tuple[str, ...] = field(default=())

    def command(self, *argv: str, env: Mapping[str, str] = {}) -> list[str]:
        """Return the host command line that runs `argv` with the tools tree's /usr.

        Files, devices, network and user are the host's. The sandbox is no security boundary (mkosi-sandbox(1)).
        """
        settings = [word for name, value in env.items() for word in ("--setenv", name, value)]
        return [
            *self._sandbox(),
            *("--bind", "/", "/"),
            *("--ro-bind", str(self.tree / "usr"), "/usr"),
            *("--ro-bind-try", str(self.tree / "etc/alternatives"), "/etc/alternatives"),
            *("--setenv", "PATH", "/usr/sbin:/usr/bin"),
            "--same-dir",
            *settings,
            "--",
            *argv,
        ]

    def in_image(self, layers: tuple[Path, ...], *argv: str) -> list[str]:
        """Return the host command line that runs `argv` in a throw-away root: `layers`, the last one on top.

        It has no network, and what it writes is gone with it.
        """
        lower = [word for layer in layers for word in ("--overlay-lowerdir", str(layer))]
        return [
            *self.namespace,
            *self._sandbox(),
            *lower,
            *("--overlay-upperdir", "tmpfs"),
            *("--overlay", "/"),
            *("--dev", "/dev"),
            *("--bind", "/proc", "/proc"),
            *("--tmpfs", "/tmp"),  # noqa: S108 - the sandbox's own
            *("--tmpfs", "/run"),
            *("--setenv", "PATH", "/usr/sbin:/usr/bin"),
            *("--setenv", "LC_ALL", "C.UTF-8"),
            "--become-root",
            "--unshare-net",
            "--",
            *argv,
        ]

    def _sandbox(self) -> list[str]:
        # The module as a script, as mkosi itself does: importing the package costs 100 ms.
        return [str(self.python), "-SI", str(self.mkosi / "mkosi" / "sandbox.py")]

    @classmethod
    def load(cls, cache: Path) -> "Toolbox":
        """Return the toolbox of the tools tree in the cache.

        :raises FindingsError: when there is none yet.
        """
        from image.mkosi import PYTHON, user_namespace

        if not is_built(cache):
            raise fail("the tools tree is not built yet", hint="./inv build makes it")
        folder = newest(cache)
        hold(folder)
        tree, packages = folder / TREE, folder / PYTHON_PATH
        return cls(PYTHON, packages.resolve(), tree, tuple(user_namespace()))


def is_built(cache: Path) -> bool:
    """Whether there is a tools tree in the cache."""
    return (newest(cache) / TREE).is_dir()


def newest(cache: Path) -> Path:
    """Return the folder of the newest tools tree in the cache, which need not be there yet."""
    return (cache / "tools" / CURRENT).resolve()


#: Open as long as this process runs, each with a shared flock(2).
_held: list[int] = []


def hold(folder: Path) -> None:
    """Keep a tree's folder from being removed until this process ends, with what it has started."""
    descriptor = _open(folder)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _held.append(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a running process holds a tree's folder."""
    descriptor = _open(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _open(folder: Path) -> int:
    return os.open(folder / "used", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
