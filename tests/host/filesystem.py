"""A small disk: a tmpfs that lies over a folder, for one command and this test alone."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.host import checkout

#: Lays a tmpfs over $1 with the content of $2 in it, then holds its mount namespace until the input ends.
_HOLDER = 'mount -t tmpfs -o "size=$3" tmpfs "$1" || exit; echo mounted; cp -a "$2/." "$1" && echo ready && exec cat'


@dataclass(frozen=True)
class SmallDisk:
    """A disk that commands behind `prefix` see over `folder`."""

    folder: Path
    prefix: tuple[str, ...]
    before: dict[str, bytes]

    def content(self) -> dict[str, bytes]:
        """Every file on it, by name, as :func:`tests.host.checkout.content` has it."""
        copy = self.folder.with_name(f"{self.folder.name}.seen")
        shutil.rmtree(copy, ignore_errors=True)
        subprocess.run([*self.prefix, "cp", "--archive", "--sparse=always", str(self.folder), str(copy)], check=True)
        return checkout.content(copy)

    def fill(self) -> None:
        """Leave not one block free."""
        command = ["dd", "if=/dev/zero", f"of={self.folder}/ballast", "bs=4k"]
        subprocess.run([*self.prefix, *command], capture_output=True, check=False)


@contextlib.contextmanager
def on_small_disk(folder: Path, kibibytes: int) -> Iterator[SmallDisk]:
    """Lay a disk of this size, with the folder's content on it, over `folder` in a mount namespace of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    mapped = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    command = ["unshare", *mapped, "--mount", "sh", "-c", _HOLDER, "sh", str(folder), f"{folder}.full", f"{kibibytes}k"]
    shutil.copytree(folder, f"{folder}.full", symlinks=True)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holder:
        assert holder.stdin is not None and holder.stdout is not None and holder.stderr is not None
        try:
            if holder.stdout.readline() != b"mounted\n":
                pytest.skip(f"this host mounts nothing for us: {holder.stderr.read().decode().strip()}")
            assert holder.stdout.readline() == b"ready\n", holder.stderr.read()
            entered = ("nsenter", f"--target={holder.pid}", "--mount", "--wd=.")
            prefix = entered if os.geteuid() == 0 else (*entered, "--user", "--preserve-credentials")
            disk = SmallDisk(folder, prefix, {})
            yield SmallDisk(folder, prefix, disk.content())
        finally:
            holder.stdin.close()
            holder.wait(checkout.PATIENCE)
            shutil.rmtree(f"{folder}.full", ignore_errors=True)
