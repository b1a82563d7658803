"""The plugin and its report, run as an author of an overlay runs them, with a stand-in for the machine."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]

# A machine that was booted: what the plugin and the report ask of one.
STAND_IN = """
import pytest
from pathlib import Path
from types import SimpleNamespace
from qemu import report
from qemu.errors import GuestSilentError

class Machine:
    boots, changed, running = 1, False, True
    def __init__(self, folder):
        self.files = SimpleNamespace(folder=folder)
        (folder / "qemu.log").write_text("qemu's words")
        self.console = SimpleNamespace(stamped="    1.000  Linux version\\n")
        self.capture = SimpleNamespace(packets=lambda: ["#0 sent arp"])
        self.restored, self.kept = [], []
    def snapshot(self, name): self.kept.append(name)
    def restore(self, name): self.restored.append(name); self.changed = False
    def screenshot(self, path): path.write_bytes(b"PNG")
    def run(self, command, timeout=0):
        if SILENT: raise GuestSilentError("the guest's shell does not answer")
        return SimpleNamespace(stdout=b"journal of the guest\\n")

@pytest.fixture(scope="session")
def _shared(pytestconfig, tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("machine"))
    report.of(pytestconfig).machines.append(machine)
    return machine
"""


class Author:
    """A folder of overlays and a way to run their checks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Strict, so that a mark which only the repository knows is an error.
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")

    def overlay(self, name: str, text: str) -> None:
        path = self.folder / "my-overlays" / name / f"test_{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "overlay.yaml").touch()
        path.write_text(textwrap.dedent(text))

    def machine(self, *, silent: bool = False) -> None:
        (self.folder / "conftest.py").write_text(f"SILENT = {silent}\n{STAND_IN}")

    def run(self, *arguments: str, alone: bool = True) -> tuple[int, str]:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--import-mode=importlib",
            "-p",
            "no:cacheprovider",
            "-p",
            "qemu.plugin",
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        if alone:  # without the plugins of packages that are installed: reading them takes longer than the checks
            environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            command += ["-p", "xdist"] if "-n" in arguments else []
        done = subprocess.run(
            [*command, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def author(tmp_path: Path) -> Author:
    return Author(tmp_path)


def test_without_an_image_the_checks_fail_and_say_why(author: Author) -> None:
    author.overlay("a", "def test_a(host): pass")
    status, said = author.run()
    assert status == 1
    assert "this check needs an image" in said
    assert "Traceback" not in said
    assert "skipped" not in said.splitlines()[-1]


def test_the_plugin_of_testinfra_beside_ours_is_refused(author: Author) -> None:
    author.overlay("a", "def test_a(host): pass")
    status, said = author.run(alone=False)
    assert status != 0
    assert "add: -p no:pytest11.testinfra" in said


def test_order_and_marks(author: Author) -> None:
    author.machine()
    author.overlay(
        "b",
        """
        import pytest
        def test_own_boot(fresh_machine): pass
        @pytest.mark.destructive
        def test_spoils(machine): pass
        def test_shared(machine): pass
        def test_without(): pass
        """,
    )
    _, said = author.run("--collect-only", "-q")
    assert re.findall(r"::(test_\w+)", said) == ["test_without", "test_shared", "test_spoils", "test_own_boot"]
    _, said = author.run("--collect-only", "-q", "-m", "not boot")
    assert re.findall(r"::(test_\w+)", said) == ["test_without"]


def test_who_follows_one_that_spoils_finds_it_restored_once(author: Author) -> None:
    author.machine()
    author.overlay(
        "c",
        """
        import pytest
        @pytest.mark.destructive
        def test_spoils(machine): assert machine.restored == []
        @pytest.mark.destructive
        def test_next(machine): assert machine.restored == ["booted"]
        """,
    )
    author.overlay(
        "d",
        """
        import pytest
        pytestmark = pytest.mark.pristine
        def test_pristine(machine): assert machine.restored == ["booted"] * 2
        """,
    )
    author.overlay(
        "e",
        """
        import pytest
        pytestmark = pytest.mark.destructive
        def test_follows(machine): assert machine.restored == ["booted"] * 3
        def test_makes(machine, kept_state):
            made = []
            assert machine.restored == ["booted"] * 3
            assert not kept_state("own", lambda: made.append(1)) and made == [1]
            assert machine.restored == ["booted"] * 4 and machine.kept[-1] == "own"
        def test_begins_there(machine, kept_state):
            assert kept_state("own", lambda: 1 / 0)
            assert machine.restored == ["booted"] * 4 + ["own"]
        def test_plain_again(machine): assert machine.restored == ["booted"] * 4 + ["own", "booted"]
        """,
    )
    status, said = author.run()
    assert status == 0, said


def test_a_failure_leaves_evidence_and_the_summary_counts(author: Author) -> None:
    author.machine()
    author.overlay(
        "good",
        """
        import pytest
        @pytest.mark.row(3)
        @pytest.mark.row(8)
        def test_good(machine): pass
        """,
    )
    author.overlay(
        "bad",
        """
        import pytest
        pytestmark = pytest.mark.row(8)
        def test_bad(machine): assert False
        @pytest.mark.skip
        def test_skipped(machine): pass
        """,
    )
    status, said = author.run("--reports=r", "--junitxml=r/junit.xml")
    assert status == 1
    (folder,) = [path for path in (author.folder / "r").iterdir() if path.is_dir()]
    assert "test_bad" in folder.name
    kept = {path.name: path.read_text() for path in (folder / "machine-0").iterdir()}
    assert kept == {
        "console.log": "    1.000  Linux version\n",
        "journal.log": "journal of the guest\n",
        "packets.txt": "#0 sent arp\n",
        "qemu.log": "qemu's words",
        "screen.png": "PNG",
    }
    summary = (author.folder / "r" / "summary.md").read_text()
    for line in ("| bad | 0 | 1 | 1 |", "| good | 1 | 0 | 0 |", "| 3: no root login | 1 | 0 | 0 |"):
        assert line in summary
    assert re.search(r"\| 8: [^|]+ \| 1 \| 1 \| 1 \|", summary)
    assert re.search(r"^bad +0 passed +1 failed +1 skipped$", said, re.MULTILINE)
    suite = ElementTree.parse(author.folder / "r" / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")


def test_one_process_has_the_shared_machine_and_the_summary_counts_all(author: Author) -> None:
    author.machine()
    author.overlay(
        "many",
        """
        import os, pytest
        @pytest.mark.row(8)
        @pytest.mark.parametrize("n", range(6))
        def test_shared(machine, n): machine.restored.append(os.getpid()); assert len(machine.restored) == n + 1
        @pytest.mark.parametrize("n", range(6))
        def test_other(n): assert n < 5
        """,
    )
    status, said = author.run("--reports=r", "-n", "2", "--dist=loadgroup")
    assert status == 1
    assert re.search(r"^many +11 passed +1 failed +0 skipped$", said, re.MULTILINE), said
    assert re.search(r"^8: [A-Z a-z]+ +6 passed +0 failed", said, re.MULTILINE), said


def test_a_guest_that_no_longer_answers_still_leaves_its_console(author: Author) -> None:
    author.machine(silent=True)
    author.overlay("bad", "def test_bad(machine): assert False")
    status, said = author.run("--reports=r")
    assert status == 1
    assert "INTERNALERROR" not in said
    (folder,) = [path for path in (author.folder / "r").iterdir() if path.is_dir()]
    assert (folder / "machine-0" / "console.log").exists()
    assert "does not answer" in (folder / "machine-0" / "incomplete.txt").read_text()
