"""What is read out of an image file: a small one is made for it, with the programs of the tools tree."""

import json
import subprocess
from pathlib import Path

import pytest

from image.findings import FindingsError
from image.plan import PLAN_PATH
from image.toolbox import Toolbox
from qemu import artefact
from qemu.errors import MachineError

pytestmark = pytest.mark.boot  # it needs the tools tree, as a machine does

PLAN = {
    "version": "0.1.0",
    "date": "2026-01-02",
    "arch": "aarch64",
    "recipe": "r",
    "title": "R",
    "seed": "00000000-0000-4000-8000-000000000000",
    "overlays": [{"name": "a", "title": "A", "rows": [], "options": {}}],
    "packages": [],
    "kernel_command_line": [],
    "units": {"enable": [], "disable": [], "mask": []},
    "user_units": {"enable": [], "disable": [], "mask": []},
    "remove": [],
    "links": {},
    "state": [],
    "files": [],
    "rows": {},
}


@pytest.fixture
def made(tmp_path: Path, toolbox: Toolbox) -> Path:
    plan = tmp_path / "tree" / PLAN_PATH.removeprefix("/")
    plan.parent.mkdir(parents=True)
    plan.write_text(json.dumps(PLAN))
    (tmp_path / "tree/big").write_bytes(bytes(range(256)) * 1000)
    subprocess.run(toolbox.command("mkfs.erofs", "--quiet", str(tmp_path / "root"), str(tmp_path / "tree")), check=True)
    image = tmp_path / "downloaded.raw"
    root = (tmp_path / "root").read_bytes()
    with image.open("wb") as stream:
        stream.truncate(16 << 20)
    table = "label: gpt\nstart=8MiB, size=4MiB, type=b921b045-1df0-41c3-af44-4c6f280d3fae\n"
    command = toolbox.command("sfdisk", "--quiet", str(image))
    subprocess.run(command, input=table, text=True, check=True, capture_output=True)
    with image.open("r+b") as stream:
        stream.seek(8 << 20)
        stream.write(root)
    return image


def test_the_plan_of_a_downloaded_image_is_the_one_in_it(made: Path, pytestconfig: pytest.Config) -> None:
    plan = artefact.plan_of(made, pytestconfig.getoption("--tools-cache"))
    assert (plan.arch, [overlay.name for overlay in plan.overlays]) == ("aarch64", ["a"])


def test_the_plan_beside_it_comes_first(made: Path) -> None:
    beside = made.with_suffix(".plan.json")
    beside.write_text(json.dumps(PLAN | {"recipe": "beside"}))
    assert artefact.plan_of(made, Path("/nonexistent")).recipe == "beside"
    beside.write_text("{}")
    with pytest.raises(FindingsError, match="not a plan"):
        artefact.plan_of(made, Path("/nonexistent"))


def test_files_and_their_place_are_found(made: Path, toolbox: Toolbox) -> None:
    assert artefact.architecture(toolbox, made) == "aarch64"
    assert artefact.read_file(toolbox, made, "/big") == bytes(range(256)) * 1000
    start, length = artefact.extent(toolbox, made, "/big")
    with made.open("rb") as stream:
        stream.seek(start)
        assert stream.read(length) == (bytes(range(256)) * 1000)[:length]
    with pytest.raises(MachineError, match="/nothing is not in the root"):
        artefact.read_file(toolbox, made, "/nothing")


def test_what_is_no_image_is_called_so(tmp_path: Path, toolbox: Toolbox) -> None:
    other = tmp_path / "other.raw"
    other.write_bytes(b"x" * 5000)
    with pytest.raises(MachineError, match=r"other\.raw is no image"):
        artefact.architecture(toolbox, other)
