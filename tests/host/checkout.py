"""A checkout of a test's own, in which ./inv is run for real: with a small recipe, a cache, and dist/ with an image."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from image.mkosi import remove_mapped
from image.paths import Paths
from image.toolbox import is_built
from tests.project import ROOT

#: Seconds that anything may take to end once it was told to, and that a phase may take to come, on a busy machine.
PATIENCE = 600
RECIPE = 'title: Small\nversion: "1"\ndate: "2026-01-02"\noverlays: [small]\n'
OVERLAY = """
title: Small
description: The least that mkosi makes a bootable image of.
packages: [linux-image-amd64, systemd, systemd-boot-efi, udev]
"""
STEM = "small_1_x86_64"


@dataclass(frozen=True)
class Running:
    """A command that runs in a session of its own, as a terminal has it; what it says goes to a file."""

    process: "subprocess.Popen[bytes]"
    output: Path

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_for(self, text: str, file: Path | None = None) -> None:
        """Wait until it has said `text`, or has written it to `file`."""
        file = file or self.output
        end = time.monotonic() + PATIENCE
        while not (file.is_file() and text in file.read_text(errors="replace")):
            assert self.process.poll() is None, f"ended before {text!r}:\n{self.said()}"
            assert time.monotonic() < end, f"no {text!r}:\n{self.said()}"
            time.sleep(0.02)

    def stop(self, name: Literal["INT", "TERM"]) -> None:
        """Ctrl-C reaches the whole foreground group, SIGTERM (from a service manager, `kill`) its leader alone."""
        if name == "INT":
            os.killpg(self.process.pid, signal.SIGINT)
        else:
            self.process.terminate()

    def wait(self) -> tuple[int, str]:
        """Wait for its end; returns the exit status and all that it said."""
        return self.process.wait(PATIENCE), self.said()


@dataclass(frozen=True)
class Checkout:
    """The folder of a checkout. `environment` is what ./inv gets besides the test's own."""

    root: Path
    environment: Mapping[str, str]

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    @property
    def log(self) -> Path:
        return self.root / "build" / STEM / "build.log"

    @property
    def cache(self) -> Path:
        return Path(self.environment["XDG_CACHE_HOME"]) / "tau"

    def start(self, *arguments: str, prefix: tuple[str, ...] = (), env: Mapping[str, str] = {}) -> Running:
        output = self.root / f"said-{time.monotonic_ns()}"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [*prefix, str(self.root / "inv"), *arguments],
                cwd=self.root,
                env={**os.environ, **self.environment, **env},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, output)

    def run(self, *arguments: str, prefix: tuple[str, ...] = (), env: Mapping[str, str] = {}) -> tuple[int, str]:
        return self.start(*arguments, prefix=prefix, env=env).wait()

    def build(self, *arguments: str, prefix: tuple[str, ...] = (), env: Mapping[str, str] = {}) -> Running:
        return self.start("build", "--recipe", "small", *arguments, prefix=prefix, env=env)

    def change(self) -> None:
        """Change a file of the overlay, so that there is something to build; the packages stay as they are."""
        file = self.root / "overlays" / "small" / "root" / "etc" / "changed"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{time.time_ns()}\n")


def make(root: Path) -> Checkout:
    """Make a checkout whose cache shares mkosi, the tools tree and the packages with this user's own, if there."""
    root.mkdir(parents=True)
    for name in ("inv", "tasks.py", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    for name in ("image", "qemu"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".venv").symlink_to(ROOT / ".venv")
    files = {
        "recipes/small.yaml": RECIPE,
        "overlays/small/overlay.yaml": OVERLAY,
        "overlays/small/initrd/etc/small": "\n",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "cache" / "tau").mkdir(parents=True)
    made = Checkout(root, {"XDG_CACHE_HOME": str(root / "cache"), "PYTHONDONTWRITEBYTECODE": "1"})
    share(made, "mkosi-package", "tools", "packages")
    return made


def share(checkout: Checkout, *names: str) -> None:
    """Put parts of this user's own cache into the checkout's."""
    for name in names:
        place = checkout.cache / name
        if place.is_symlink():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)
        place.symlink_to(Paths.of(ROOT).cache / name)


def share_tools(checkout: Checkout) -> None:
    """Put mkosi and the tools tree of this user's own cache into the checkout's, or skip the test."""
    if not is_built(Paths.of(ROOT).cache):
        pytest.skip("the tools tree is not built yet")
    share(checkout, "mkosi-package", "tools")


def put_image(folder: Path) -> dict[str, bytes]:
    """Put the artefacts of an earlier build into a folder; returns them as :func:`content` does."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = {}
    for suffix in ("raw", "manifest.json", "plan.json", "tools.txt", "build.log"):
        file = folder / f"{STEM}.{suffix}"
        file.write_text(f"the {suffix} of an earlier build\n")
        digests[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / f"{STEM}.build.json").write_text(json.dumps({"fingerprint": "earlier", "sha256": digests}))
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    return content(folder)


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, by name; a file that is large by its hash."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            small = path.stat().st_size < 1 << 20
            with path.open("rb") as stream:
                found[str(path.relative_to(folder))] = (
                    stream.read() if small else hashlib.file_digest(stream, "sha256").digest()
                )
    return found


def is_whole(folder: Path) -> None:
    """Assert that dist/ holds one image with all that belongs to it, hashes and dates included."""
    names = {path.name for path in folder.iterdir()}
    suffixes = ("raw", "manifest.json", "plan.json", "tools.txt", "build.log", "build.json")
    assert names == {"SHA256SUMS", *(f"{STEM}.{suffix}" for suffix in suffixes)}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    record = json.loads((folder / f"{STEM}.build.json").read_text())
    for part, suite in (("image", "trixie"), ("tools", "forky")):
        assert [index["suite"] for index in record["indexes"][part]] == [suite, f"{suite}-security", f"{suite}-updates"]
        assert all(index["date"].startswith("20") for index in record["indexes"][part])
    manifest = json.loads((folder / f"{STEM}.manifest.json").read_text())
    for part, package in (("packages", "linux-image-amd64"), ("initrd_packages", "systemd")):
        assert package in [each["name"] for each in manifest[part]]
        assert all(len(each["sha256"]) == 64 for each in manifest[part])


def remove(checkout: Checkout) -> None:
    """Remove a checkout in which files may have owners of an image."""
    remove_mapped(checkout.root)
