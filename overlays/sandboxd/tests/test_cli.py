"""The command as an author runs it: on any machine with Python, by PYTHONPATH alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tau.cli import COMMANDS

SOURCE = Path(__file__).parent.parent / "src"


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def tau(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), **environment}
    return subprocess.run(
        [sys.executable, "-S", "-m", "tau", *arguments], env=environment, capture_output=True, text=True
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.tau"
    path.write_text('{"id": "org.tauos.media", "permissions": ["network", "camera", "microphone", "filesystem:ro"]}')
    return path


def test_a_good_manifest(file: Path) -> None:
    for argument in (file, file.parent):
        done = tau("manifest", "check", str(argument))
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{file}: no findings\n", "")


def test_a_bad_one_beside_a_good_one(file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tau"
    bad.write_text('{"id": "org.tauos.media",\n "permissions": ["netwrok"]}')
    done = tau("manifest", "check", str(file), str(bad))
    assert (done.returncode, done.stdout) == (1, f"{file}: no findings\n")
    assert done.stderr == f'{bad}:2:18: permissions[0]: "netwrok" is not a permission; did you mean "network"?\n'
    as_json = tau("manifest", "check", "--json", str(bad))
    assert json.loads(as_json.stdout) == {
        "file": str(bad),
        "line": 2,
        "column": 18,
        "key": "permissions[0]",
        "message": '"netwrok" is not a permission',
        "expected": None,
        "nearest": "network",
    }


@pytest.mark.parametrize("name", ["none", "a\x1b[2Jb"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    done = tau("manifest", "check", str(tmp_path / name))
    assert done.returncode == 1
    assert done.stderr.endswith(": can't be read: No such file or directory\n")
    assert done.stderr.strip().isprintable()


def test_wrong_use() -> None:
    assert tau().returncode == tau("manifest").returncode == tau("nonsense").returncode == 2
    assert "Traceback" not in tau("nonsense").stderr


def test_a_reader_that_goes_away(file: Path) -> None:
    command = f"{sys.executable} -S -m tau manifest check {file} {file} | true; exit ${{PIPESTATUS[0]}}"
    done = run(["bash", "-c", command], {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)})
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = tau(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert COMMANDS[command][1].capitalize() in " ".join(done.stdout.split())
