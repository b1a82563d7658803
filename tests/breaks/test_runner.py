"""The plugin that breaks, run on checks of a stand-in for the overlay network, with a stand-in for the machine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from qemu.commandline import Settings
from qemu.machine import Machine
from tests.breaks import plugin
from tests.breaks.model import Boot, Break
from tests.breaks.table import ROOT

#: A break of the real table, which the stand-in machine is asked to make.
WHAT, CHECK = "another address of its own", "test_its_own_names_need_no_resolver"

CONFTEST = """
import pytest
from types import SimpleNamespace
from qemu.errors import GuestSilentError

class Machine:
    boots, changed, broken = 0, False, ""
    capture = SimpleNamespace(packets=lambda since=0: [])
    def restore(self, name): self.broken = ""
    def run(self, command, timeout=0):
        self.broken = command
        return SimpleNamespace(status=STATUS.pop() if STATUS else 0, stdout=b"no such file", stderr=b"")
    def wait_until(self, command): raise GuestSilentError(f"{command} did not succeed")
    def hang(self): raise GuestSilentError("the guest's shell does not answer")

STATUS = []

@pytest.fixture(scope="session")
def _shared():
    return Machine()

@pytest.fixture(scope="session")
def network():
    return SimpleNamespace(mark=lambda: 0, _lines=lambda: [])

@pytest.fixture
def can_not():
    STATUS.append(7)

@pytest.fixture
def spoilt():
    assert not "hostname"
"""

#: Bodies of the check, and what comes of them: nothing where it was seen to fail as it should.
CASES = {
    "fails": ('hostname = "sed -i s/127" in machine.broken; assert not hostname', ""),
    "waits": ('machine.wait_until("hostname")', ""),
    "passes": ("pass", f"the check passes although this is broken: {WHAT}"),
    "other": ("assert machine is None", "it failed for another reason than"),
    "hangs": ("hostname = 1; machine.hang()", "the harness failed, not the check"),
    "crashes": ("hostname = [][1]", "the harness failed, not the check"),
    "can_not": ("assert not 'hostname'", r"the break could not be made \(7\): no such file"),
    "spoilt": ("assert not 'hostname'", "ERROR at setup"),
}


#: In one process: all tests here look at one run.
pytestmark = pytest.mark.xdist_group("runner")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run of all cases, and what pytest printed."""
    folder = tmp_path_factory.mktemp("cases")
    for name, (body, _) in CASES.items():
        overlay = folder / name / "network"
        overlay.mkdir(parents=True)
        fixtures = f"machine, network{f', {name}' if name in ('can_not', 'spoilt') else ''}"
        other = "def test_other(machine, network):\n    assert False"
        (overlay / "test_network.py").write_text(f"def {CHECK}({fixtures}):\n    {body}\n\n{other}\n")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    command = [sys.executable, "-m", "pytest", "--import-mode=importlib", "-p", "no:cacheprovider", "--reports=r"]
    command += ["-p", "qemu.plugin", "-p", "tests.breaks.plugin", "--breaks=guest"]
    command += ["-k", f"{WHAT.replace(' ', ' and ')}", "-v", "--tb=long"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return folder, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_only_a_failure_of_the_check_s_own_counts(outcome: tuple[Path, str], name: str) -> None:
    _, said = outcome
    _, reason = CASES[name]
    result = re.search(rf"^{name}/network/\S+::{CHECK}\[{WHAT}\] (\w+)", said, re.MULTILINE)
    assert result, said
    assert result[1] == ("PASSED" if not reason else "ERROR" if "ERROR" in reason else "FAILED"), said
    assert re.search(reason, said), said


def test_checks_without_the_break_do_not_run(outcome: tuple[Path, str]) -> None:
    assert "test_other" not in outcome[1]


def test_what_they_said_is_kept(outcome: tuple[Path, str]) -> None:
    folder, said = outcome
    kept = {each["check"].partition("/")[0]: each for each in json.loads((folder / "r/breaks-guest.json").read_text())}
    assert set(kept) == {"fails", "waits"}
    assert kept["fails"]["said"] == "assert not True", said  # the break was made when the check ran
    assert kept["waits"]["said"] == "hostname did not succeed" and kept["waits"]["broken"] == WHAT


def test_a_variant_has_one_name_in_whatever_process_it_ran(tmp_path: Path) -> None:
    options = {"--breaks": "guest", "--reports": tmp_path}
    breaker = plugin.Breaker(SimpleNamespace(getoption=options.get))  # type: ignore[arg-type]
    for group in ("", "@machine"):
        name = f"overlays/users/test_users.py::test_x[a@b]{group}"
        said = [("broken", "a@b"), ("said", "no")]
        breaker.pytest_runtest_logreport(
            pytest.TestReport(name, ("", 0, ""), {}, "passed", None, "call", user_properties=said)
        )
    breaker.pytest_sessionfinish(SimpleNamespace(config=object()))  # type: ignore[arg-type]
    kept = json.loads((tmp_path / "breaks-guest.json").read_text())
    assert [each["check"] for each in kept] == ["overlays/users/test_users.py::test_x[a@b]"] * 2


def test_a_machine_that_several_checks_use_is_broken_for_one_variant_alone() -> None:
    shared, installed = Machine.__new__(Machine), Machine.__new__(Machine)
    shared.settings = installed.settings = usual = Settings(kernel_arguments="a")
    made = []

    def fresh_machine() -> Machine:
        made.append(Machine.__new__(Machine))
        made[-1].settings = usual
        return made[-1]

    arguments: dict[str, object] = {"machine": shared, "_shared": shared, "server": shared}
    arguments |= {"installed": installed, "fresh_machine": fresh_machine}
    with pytest.MonkeyPatch.context() as patch:
        plugin._make(Break("test_x", "a word more", "x", boot=Boot(kernel="b")), arguments, patch)
        assert installed.settings.kernel_arguments == "a b"
        assert arguments["fresh_machine"]().settings.kernel_arguments == "a b"  # type: ignore[operator]
        assert shared.settings is usual
        assert plugin._own_machines(arguments) == [installed]
    assert installed.settings is usual
