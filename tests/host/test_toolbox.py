"""Programs of a tools tree on this host."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from image.findings import FindingsError
from image.mkosi import PYTHON
from image.mkosi_tree import TEMPLATES
from image.paths import Paths
from image.toolbox import Toolbox
from qemu import firmware
from tests.project import ROOT


@pytest.fixture(scope="module")
def toolbox() -> Toolbox:
    try:
        return Toolbox.load(Paths.of(ROOT).cache)
    except FindingsError:
        pytest.skip("the tools tree is not built yet")


def run(command: list[str], cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_the_trees_programs_and_the_hosts_files(toolbox: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the host")
    script = 'cat file; cat /usr/lib/os-release; echo "WORD=$WORD"; id -u; pwd; echo new >made'
    said = run(toolbox.command("sh", "-c", script, env={"WORD": "a b"}), tmp_path)
    assert said.startswith("of the host")
    assert (toolbox.tree / "usr/lib/os-release").read_text() in said
    assert said.splitlines()[-3:] == ["WORD=a b", str(os.getuid()), str(tmp_path)]
    assert (tmp_path / "made").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    "program",
    [
        ("qemu-system-x86_64", "--version"),
        ("qemu-img", "--version"),
        ("systemd-repart", "--version"),
        ("dump.erofs", "--version"),
    ],
)
def test_programs_start(toolbox: Toolbox, program: tuple[str, ...]) -> None:
    """With the tree's own libraries, whatever the host's linker cache says."""
    assert run(toolbox.command(*program))


def test_what_is_used_is_asked_for(toolbox: Toolbox) -> None:
    """By us or by mkosi: what only comes along with something else goes with it, without a word."""
    used = ["qemu-system-x86_64", "qemu-system-aarch64", "qemu-img", "qemu-io", "ip", "sfdisk", "dump.erofs"]
    used += ["mkfs.erofs", "dnsdist", "chronyd", "ssh", "gpg", "gpgconf", "shellcheck"]
    owner = {
        path: file.name.partition(":")[0].removesuffix(".list")
        for file in (toolbox.tree / "var/lib/dpkg/info").glob("*.list")
        for path in file.read_text().splitlines()
    }
    owners = {owner.get(f"/usr/bin/{name}") or owner[f"/usr/sbin/{name}"] for name in used}
    states = (toolbox.tree / "var/lib/apt/extended_states").read_text()
    came_along = set(re.findall(r"^Package: (\S+)\nArchitecture: \S+\nAuto-Installed: 1$", states, re.MULTILINE))
    assert len(came_along) > 100
    assert owners & came_along - asked_for() == set(), "name them in image/templates/tools.conf.j2"


def test_firmware_is_asked_for() -> None:
    assert {package for _, package in firmware._FILES.values()} <= asked_for()


def asked_for() -> set[str]:
    settings = (TEMPLATES / "tools.conf.j2").read_text()
    return set(settings.partition("ToolsTreePackages=")[2].partition("=")[0].split())


def test_the_trees_usr_is_read_only(toolbox: Toolbox) -> None:
    done = subprocess.run(toolbox.command("touch", "/usr/mark"), capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "Read-only" in done.stderr
    assert not (toolbox.tree / "usr/mark").exists()


def test_the_exit_status_comes_through(toolbox: Toolbox) -> None:
    assert subprocess.run(toolbox.command("sh", "-c", "exit 7"), check=False).returncode == 7


def test_none_built_yet(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match=r"not built yet(.|\n)*./inv build"):
        Toolbox.load(tmp_path)


def test_options_of_the_program_stay_its_own(tmp_path: Path) -> None:
    command = Toolbox(PYTHON, tmp_path, tmp_path).command("prog", "--setenv", "X")
    assert command[command.index("--") + 1 :] == ["prog", "--setenv", "X"]
