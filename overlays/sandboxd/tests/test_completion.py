"""Bash's completion, as bash does it: what is typed, and what that can become."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tau import completion
from tau.parsers import commands

#: Stands for what a user has installed.
TAU = """
tau() {
    case "$*" in
    list) printf '%s  1.2  network\\n' org.example.app org.example.other ;;
    'permissions list org.example.app')
        printf 'org.example.app  %s  ask  (…)\\n' network filesystem:ro filesystem:rw:home
        ;;
    'permissions list') printf 'org.example.app  %s  ask  (…)\\n' network camera network ;;
    esac
}
"""
DRIVER = """
COMP_LINE=$1 COMP_POINT=${#1}
_tau 2>&1
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script() -> str:
    if not shutil.which("bash"):
        pytest.skip("there is no bash")
    return completion.text() + TAU + DRIVER


def completed(script: str, typed: str, folder: Path) -> set[str]:
    command = ["bash", "-uc", script, "bash", typed]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env={"PATH": os.defpath})
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("tau pe", {"permissions"}),
        ("tau --h", {"--help"}),
        ("tau run --e", {"--ephemeral"}),
        ("tau run org.example.o", {"org.example.other"}),
        ("tau run --ephemeral ", {"org.example.app", "org.example.other"}),
        ("tau run org.example.app ", {"a.raw", "folder", ".hidden"}),
        ("tau run org.example.app --x", set()),
        ("tau install a", {"a.raw"}),
        ("tau permissions ", {"list", "grant", "deny", "reset", "pick", "history", "--help"}),
        ("tau permissions grant org.example.app n", {"network"}),
        ("tau permissions grant --session org.example.app c", set()),
        # Bash has divided at the colon, and puts what follows it there.
        ("tau permissions grant org.example.app filesystem:r", {"ro", "rw:home"}),
        ("tau permissions grant org.example.app filesystem:rw:", {"home"}),
        ("tau permissions grant org.example.app network ", {"--session", "--stop", "--keep", "--help"}),
        ("tau permissions pick org.example.app ", {"folder"}),
        ("tau permissions pick org.example.app folder/", {"folder/inner"}),
        ("tau run org.example.app <a", {"a.raw"}),
        ("tau run org.example.app 2>f", {"folder"}),
        ("tau list > a", {"a.raw"}),
        ("tau permissions history --lines ", set()),
        ("tau request network c", {"camera"}),
        ("tau log --lines 7 --f", {"--follow"}),
        ("tau pack --arch ", {"x86_64", "aarch64"}),
        ("tau pack --key k", set()),
        ("tau pack --key a.raw f", {"folder"}),
        ("tau manifest c", {"check"}),
        ("tau manifest check --json a.raw a", {"a.raw"}),
    ],
)
def test_it(script: str, typed: str, expected: set[str], tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_text("")
    for each in ("folder/inner", "folder/.hidden", ".hidden"):
        (tmp_path / each).mkdir(parents=True)
    assert completed(script, typed, tmp_path) == expected


@pytest.mark.parametrize("words", [each.words for each in commands()])
def test_every_command_and_option_is_there(script: str, words: tuple[str, ...], tmp_path: Path) -> None:
    (command,) = (each for each in commands() if each.words == words)
    typed = " ".join(("tau", *words))
    options = [option for action in command.arguments for option in action.option_strings]
    assert {"--help", *options} <= completed(script, f"{typed} -", tmp_path)
    assert set(command.inner) <= completed(script, f"{typed} ", tmp_path)
