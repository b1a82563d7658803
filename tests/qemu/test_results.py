"""A run has a folder of its own results, and takes nothing from another that goes on, or that has just ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qemu import results
from tests.project import ROOT


def ended(base: Path, day: int) -> Path:
    """The folder of a run that has ended."""
    folder = base / f"2026-01-{day:02}_00-00-00_{2**22 + day}"  # beyond every process id (proc(5), pid_max)
    folder.mkdir(parents=True)
    (folder / "summary.md").write_text("earlier\n")
    return folder


def test_a_run_begins_with_an_empty_folder(tmp_path: Path) -> None:
    earlier = ended(tmp_path, 1)
    folder = results.begin(tmp_path)
    assert list(folder.iterdir()) == [] and folder != earlier
    assert (tmp_path / "last").resolve() == folder
    assert (earlier / "summary.md").exists()


def test_old_runs_go_and_what_is_not_of_a_run_stays(tmp_path: Path) -> None:
    runs = [ended(tmp_path, day) for day in range(1, results.KEPT + 4)]
    (tmp_path / "notes").mkdir()
    folder = results.begin(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *(path.name for path in runs[-results.KEPT :]),
        *(folder.name, "last", "notes"),
    }


def test_a_run_that_goes_on_keeps_its_folder(tmp_path: Path) -> None:
    going_on = tmp_path / f"2025-01-01_00-00-00_{os.getppid()}"
    going_on.mkdir()
    for day in range(1, results.KEPT + 2):
        ended(tmp_path, day)
    results.begin(tmp_path)
    assert going_on.is_dir() and not (tmp_path / f"2026-01-01_00-00-00_{2**22 + 1}").exists()


def test_two_at_once(tmp_path: Path) -> None:
    code = f"from qemu import results; from pathlib import Path; print(results.begin(Path({str(tmp_path)!r})))"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    folders = [Path(process.communicate(timeout=60)[0].strip()) for process in processes]
    assert len(set(folders)) == 2 and all(folder.is_dir() for folder in folders)
    assert (tmp_path / "last").resolve() in folders


def test_pytest_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --keep-machine one runs pytest again and again: each time in a folder of its own."""
    (tmp_path / "test_t.py").write_text("def test_t():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "qemu.plugin"]
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for options in ([], ["-p", "xdist", "-n", "1"]):
        done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    runs = [path for path in (tmp_path / "build/reports").iterdir() if path.name != "last"]
    assert len(runs) == 2 and all((path / "summary.md").is_file() for path in runs)
