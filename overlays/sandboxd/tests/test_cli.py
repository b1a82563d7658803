"""The command as an author runs it: on any machine with Python, by PYTHONPATH alone."""

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from tau import command_request
from tau.cli import COMMANDS
from tau.parsers import Command, commands
from tau.permissions import PERMISSIONS
from tau.this_system import NO_TAU_OS, is_tau_os

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
    program = file.parent / "bin/media"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for argument in (file, file.parent):
        done = tau("manifest", "check", str(argument))
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{file}: no findings\n", "")


def test_a_folder_without_its_program(file: Path) -> None:
    """Of a manifest alone nothing is said of it: where the rest is, nobody knows."""
    program = file.parent / "bin/media"
    for said in ("is not there", "is not executable (chmod +x)"):
        done = tau("manifest", "check", str(file.parent))
        text = f"{said}; it is the program that the manifest names"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{program}: {text}\n")
        as_json = tau("manifest", "check", "--json", str(file.parent))
        nowhere = dict.fromkeys(("line", "column", "key", "expected", "nearest"))
        assert json.loads(as_json.stdout) == {"file": str(program), "message": text, **nowhere}
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n")
    assert tau("manifest", "check", str(file)).returncode == 0


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
    as_json = json.loads(tau("manifest", "check", "--json", str(tmp_path / name)).stdout)
    nowhere = dict.fromkeys(("line", "column", "key", "expected", "nearest"))
    message = "can't be read: No such file or directory"
    assert as_json == {"file": str(tmp_path / name), "message": message, **nowhere}


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


@pytest.mark.parametrize(
    "command", [each for each in commands() if len(each.words) > 1], ids=lambda each: each.words[1]
)
def test_every_action_has_help(command: Command) -> None:
    done = tau(*command.words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n{command.summary[0].upper()}{command.summary[1:]}.\n" in done.stdout


@pytest.mark.skipif(is_tau_os(), reason="apps can be installed here")
def test_it_says_where_it_is_of_use(file: Path, tmp_path: Path) -> None:
    """Elsewhere it has no part that answers; nothing is made there."""
    commands = [["list"], ["install", str(file)], ["run", "org.example.app"], ["log"], ["permissions", "list"]]
    for command in [*commands, ["request", "network"]]:
        done = tau(*command, HOME=str(tmp_path))
        assert (done.returncode, done.stdout) == (125 if command[0] == "run" else 1, "")
        assert done.stderr.removesuffix("\n").endswith(NO_TAU_OS) and len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [file]


def test_what_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command_request, "is_tau_os", lambda: True)
    for name, hint in (
        ("netwrok", "did you mean network?"),
        ("filesystem:ro:music", "did you mean filesystem:ro?"),
        ("x", f"there are {', '.join(PERMISSIONS)}"),
    ):
        assert command_request.run(Namespace(permissions=[name])) == 1
        assert capsys.readouterr().err == f'"{name}" is not a permission; {hint}\n'


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("instal", 'there is no "instal"; did you mean "install"? (tau --help lists all)'),
        ("permissions lst", 'there is no "lst"; did you mean "list"? (tau permissions --help lists all)'),
        ("permissions list --jsn", '"--jsn" is not known; did you mean "--json"?'),
        ("run --backgroud org.example.app", '"--backgroud" is not known; did you mean "--background"?'),
        ("xyz", 'there is no "xyz" (tau --help lists all)'),
    ],
)
def test_what_was_likely_meant(words: str, told: str) -> None:
    done = tau(*words.split())
    assert done.returncode == 2 and done.stderr.endswith(f": error: {told}\n"), done.stderr


@pytest.mark.parametrize("words", ["", "permissions", "manifest"])
def test_where_a_word_is_missing_they_are_shown(words: str) -> None:
    done = tau(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == tau(*words.split(), "--help").stdout
