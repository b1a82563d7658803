"""The linters as tests: ruff, its formatter, mypy, shellcheck, and what must not be in the repository."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from image.paths import Paths
from image.schemas import write
from image.toolbox import Toolbox, is_built
from tests.project import ROOT


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_ruff() -> None:
    run(sys.executable, "-m", "ruff", "check", ".")


def test_format() -> None:
    run(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_mypy() -> None:
    run(sys.executable, "-m", "mypy")


def test_shellcheck() -> None:
    paths = Paths.of(ROOT)
    if not is_built(paths.cache):
        pytest.skip("shellcheck is in the tools tree, which is not built yet")
    scripts = [ROOT / "inv", ROOT / ".ci" / "run"]
    run(*Toolbox.load(paths.cache).command("shellcheck", *(str(script) for script in scripts)))


def test_schemas_are_current() -> None:
    write(ROOT / "docs" / "schemas", check=True)


def test_no_archive_is_named() -> None:
    """Archives are the host's own business (DESIGN: "Use the distribution's default mirrors")."""
    host = re.compile(rb"https?://[a-z0-9.-]*debian\.org/debian\b|//(deb|ftp|security)\.[a-z0-9.-]*debian")
    named = [path for path in tracked() if host.search(path.read_bytes())]
    assert tracked() and named == []


def test_modules_are_small() -> None:
    long = {path.name: n for path in tracked() if path.suffix == ".py" and (n := path.read_text().count("\n")) > 400}
    assert long == {}
