"""dist/ is put there whole or not at all: on a full disk, when it is stopped, and when the power goes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from image.artefact import publish, read_record
from image.commands import rendered
from image.findings import FindingsError
from image.plan import Plan
from image.request import Request
from tests.host import checkout
from tests.host.filesystem import on_small_disk
from tests.project import ROOT

SUFFIXES = ("raw", "manifest.json", "plan.json", "tools.txt", "build.log")
#: Publishes the folder NEW into OUT in a process of its own; "when" is run with the number of each rename that is done.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from image.artefact import publish
from image.plan import read_plan
from image.request import Request

rename, count = Path.rename, 0

def counted(path, target):
    global count
    rename(path, target)
    if str(path).endswith(".new"):
        count += 1
        when(count)

def when(count):
    {when}

Path.rename = counted
new, out = Path(sys.argv[1]), Path(sys.argv[2])
outputs = {{path.suffix[1:] if path.suffix == ".raw" else path.name: path for path in new.iterdir()}}
publish(read_plan(Path(sys.argv[3]).read_text(), Path("plan")), outputs, {{"fingerprint": "new"}}, out)
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return rendered(ROOT, Request(arch="x86_64")).plan


@pytest.fixture
def new(tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    folder.mkdir()
    for suffix in SUFFIXES:
        (folder / ("image.raw" if suffix == "raw" else suffix)).write_bytes(f"the new {suffix}\n".encode() * 1000)
    return folder


def outputs(new: Path) -> dict[str, Path]:
    return {suffix: new / ("image.raw" if suffix == "raw" else suffix) for suffix in SUFFIXES}


def place(plan: Plan, out: Path) -> dict[str, bytes]:
    """What an earlier build has put there."""
    folder = out.parent / "earlier"
    folder.mkdir()
    for suffix, path in outputs(folder).items():
        path.write_text(f"the earlier {suffix}\n")
    publish(plan, outputs(folder), {"fingerprint": "earlier"}, out)
    return checkout.content(out)


def run(plan: Plan, new: Path, out: Path, when: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    file = out.parent / "plan"
    file.write_text(plan.to_json())
    command = [*prefix, sys.executable, "-c", PROGRAM.format(when=when), str(new), str(out), str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def consistent(plan: Plan, out: Path) -> bool:
    """sha256sum agrees with what is there, and nothing half-written is."""
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=out, capture_output=True, check=False)
    return done.returncode == 0 and not [name for name in checkout.content(out) if name.endswith(".new")]


def test_what_is_published(plan: Plan, new: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    place(plan, out)
    (out / "other_1_x86_64.build.json").write_text('{"sha256": {"other": "' + "0" * 64 + '"}}')
    (out / "broken.build.json").write_text("<html>")
    (out / "other").touch()
    placed = publish(plan, outputs(new), {"fingerprint": "new"}, out)
    assert placed["raw"].read_bytes().startswith(b"the new raw") and not list(new.iterdir())
    record = read_record(plan, out)
    assert record is not None and record["fingerprint"] == "new" and len(record["sha256"]) == len(SUFFIXES)
    sums = (out / "SHA256SUMS").read_text()
    assert f"{'0' * 64}  other\n" in sums and sums.count("\n") == len(SUFFIXES) + 1
    (out / "other_1_x86_64.build.json").unlink()
    placed["tools.txt"].unlink()
    assert read_record(plan, out) is None  # not whole


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": []}', '{"sha256": {}}', "\0", '{"fingerprint": "x"}'])
def test_a_record_that_is_none(plan: Plan, tmp_path: Path, content: str) -> None:
    (tmp_path / f"{plan.stem}.build.json").write_text(content)
    assert read_record(plan, tmp_path) is None


def test_an_output_that_is_missing(plan: Plan, new: Path, tmp_path: Path) -> None:
    before = place(plan, tmp_path / "out")
    (new / "tools.txt").unlink()
    with pytest.raises(FindingsError, match="out: can't be written"):
        publish(plan, outputs(new), {"fingerprint": "new"}, tmp_path / "out")
    assert checkout.content(tmp_path / "out") == before


@pytest.mark.parametrize("kibibytes", [32, 48, 80, 116])
def test_a_full_disk(plan: Plan, new: Path, tmp_path: Path, kibibytes: int) -> None:
    """At the first file, in the middle, at the record: whichever is too much, what was there stays."""
    out = tmp_path / "out"
    place(plan, out)
    with on_small_disk(out, kibibytes) as disk:
        done = run(plan, new, out, "pass", disk.prefix)
        assert done.returncode != 0 and "can't be written: No space left on device" in done.stderr, done.stderr
        assert disk.content() == disk.before


def test_a_disk_that_is_just_large_enough(plan: Plan, new: Path, tmp_path: Path) -> None:
    """Control: the disks above were too small, and not broken in another way."""
    place(plan, tmp_path / "out")
    with on_small_disk(tmp_path / "out", 400) as disk:
        assert run(plan, new, tmp_path / "out", "pass", disk.prefix).returncode == 0
        assert disk.content() != disk.before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("rename", [1, 4, 7])
def test_a_stop_between_two_renames_waits(
    plan: Plan, new: Path, tmp_path: Path, number: signal.Signals, rename: int
) -> None:
    out = tmp_path / "out"
    place(plan, out)
    done = run(plan, new, out, f"count == {rename} and os.kill(os.getpid(), {number.value})")
    assert done.returncode == -number or "KeyboardInterrupt" in done.stderr
    record = read_record(plan, out)
    assert record is not None and record["fingerprint"] == "new"
    assert consistent(plan, out)


@pytest.mark.parametrize("rename", range(1, 8))
def test_a_power_cut_between_two_renames(plan: Plan, new: Path, tmp_path: Path, rename: int) -> None:
    """The old image is never taken for the new one, nor a mixture for either."""
    out = tmp_path / "out"
    place(plan, out)
    assert run(plan, new, out, f"count == {rename} and os.kill(os.getpid(), 9)").returncode == -signal.SIGKILL
    record = read_record(plan, out)
    assert (record is None) == (rename < 6)
    if record is not None:
        assert json.loads((out / f"{plan.stem}.build.json").read_text())["fingerprint"] == "new"
        assert (out / f"{plan.stem}.raw").read_bytes().startswith(b"the new")


def test_holes_stay_holes(plan: Plan, new: Path, tmp_path: Path) -> None:
    """The image goes to another file system: its gibibyte of nothing must not be written."""
    image = new / "image.raw"
    with image.open("wb") as stream:
        stream.write(b"start")
        stream.truncate(64 << 20)
    with on_small_disk(tmp_path / "out", 2048) as disk:
        assert run(plan, new, tmp_path / "out", "pass", disk.prefix).returncode == 0
        assert f"{plan.stem}.raw" in disk.content()
