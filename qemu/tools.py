"""What this package needs from the tools tree; `image.toolbox.Toolbox` fulfils it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from qemu.errors import ToolMissingError


class Tools(Protocol):
    """Runs programs of the tools tree on this host."""

    @property
    def tree(self) -> Path:
        """Root of the tools tree."""
        ...

    def command(self, *argv: str, env: Mapping[str, str] = ...) -> list[str]:
        """The host command line that runs argv with the tools tree's /usr."""
        ...


def find(tools: Tools, program: str, package: str) -> str:
    """The program's path inside the tools tree.

    Raises:
        ToolMissingError: the tree has no such program; the message names the Debian package that brings it.
    """
    for folder in ("usr/bin", "usr/sbin"):
        if (tools.tree / folder / program).exists():
            return f"/{folder}/{program}"
    raise ToolMissingError(f"{program} is not in the tools tree {tools.tree}: add the package {package} to it")


def run(tools: Tools, *argv: str, prefix: list[str] | None = None) -> str:
    """Run a short program of the tools tree to its end and return what it printed.

    Args:
        argv: the program and its arguments.
        prefix: host command in front of it (to enter a network namespace).

    Raises:
        ToolMissingError: it failed; the message carries its own last line.
    """
    done = subprocess.run([*(prefix or []), *tools.command(*argv)], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise ToolMissingError(f"{argv[0]} failed with status {done.returncode}: {said}")
    return done.stdout
