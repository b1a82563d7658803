"""The table of breaks is whole: every check of every overlay has one, or a reason why not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from image.findings import FindingsError
from qemu.commandline import Settings
from tests.breaks import mutants
from tests.breaks.model import Boot, Edit
from tests.breaks.table import DOCUMENT, ROOT, document, is_of, overlays, seen, table

#: In one process: collecting the checks takes longer than all tests here.
pytestmark = pytest.mark.xdist_group("breaks")


@pytest.fixture(scope="module")
def checks() -> list[tuple[str, str, str]]:
    """Overlay, function and parameters of every check that pytest collects."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--import-mode=importlib"]
    command += ["-p", "qemu.plugin", "-p", "no:cacheprovider", "overlays"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"^overlays/([^/]+)/test_\w+\.py::(\w+)(?:\[(.*)\])?$", done.stdout, re.MULTILINE)
    assert len(found) > 100
    return found


def test_every_check_has_a_break_or_a_reason(checks: list[tuple[str, str, str]]) -> None:
    bare = []
    for overlay, function, parameters in checks:
        found = table(overlay)
        excused = {function, f"{function}[{parameters}]"} & set(found.without)
        if not excused and not any(each.breaks(function, parameters) for each in found.breaks):
            bare.append(f"{overlay}: {function}[{parameters}]")
    assert bare == [], "add a break to tests/breaks/of/, and see it fail: ./inv test --breaks --overlay NAME"


def test_every_break_is_of_a_check(checks: list[tuple[str, str, str]]) -> None:
    stale = []
    for overlay in overlays():
        known = {name for each, name, _ in checks if each == overlay}
        known |= {f"{name}[{parameters}]" for each, name, parameters in checks if each == overlay}
        found = table(overlay)
        names = [name for each in found.breaks for name in each.checks] + list(found.without)
        stale += [f"{overlay}: {name}" for name in names if name not in known]
    assert stale == []


def test_each_break_is_made_in_one_way_and_has_a_name_of_its_own() -> None:
    for overlay in overlays():
        breaks = table(overlay).breaks
        assert {each.kind for each in breaks} <= {"guest", "boot", "image"}
        for each in breaks:
            re.compile(each.says)
        names = {(name.partition("[")[0], each.what, id(each)) for each in breaks for name in each.checks}
        assert len({name[:2] for name in names}) == len(names), "pytest would number them"


def test_reasons_are_reasons() -> None:
    for overlay in overlays():
        assert all(len(reason.split()) > 5 for reason in table(overlay).without.values())


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text() == document(), "run: .venv/bin/python -m tests.breaks.table"


def test_what_was_seen_is_of_a_break() -> None:
    known = [(overlay, each) for overlay in overlays() for each in table(overlay).breaks]
    assert [variant for variant in seen() if not any(is_of(variant, *each) for each in known)] == []


def test_changes_of_overlays_still_find_what_they_change(tmp_path: Path) -> None:
    assert mutants.write(ROOT / "overlays", tmp_path / "o", mutants.edits())
    changed = {path.name for path in (tmp_path / "o").iterdir()}
    assert changed == {edit.path.partition("/")[0] for edit in mutants.edits()}


def test_a_change_that_finds_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "from" / "a").mkdir(parents=True)
    (tmp_path / "from" / "a" / "f").write_text("one\ntwo\n")
    mutants.write(tmp_path / "from", tmp_path / "to", [Edit("a/f", "^two$", "three")])
    assert (tmp_path / "to" / "a" / "f").read_text() == "one\nthree\n"
    with pytest.raises(FindingsError, match="nothing here is /four/"):
        mutants.write(tmp_path / "from", tmp_path / "to", [Edit("a/f", "four")])


def test_what_a_machine_is_booted_with() -> None:
    usual = Settings(kernel_arguments="a", credentials={"tau.user.name": b"x", "other": b"y"})
    made = Boot(kernel="b", command="echo 1", initrd="echo 2", credentials={"other": b"z"}).settings(usual)
    assert made.kernel_arguments == "a b"
    assert made.credentials["tau.user.name"] == b"x" and made.credentials["other"] == b"z"
    assert made.credentials["tau-break"] == b"echo 1"
    late, early = (made.credentials[f"systemd.extra-unit.{name}.service"] for name in ("tau-break", "tau-break-initrd"))
    assert b"ConditionPathExists=!/etc/initrd-release" in late
    assert b"ConditionPathExists=/etc/initrd-release" in early


def _edits() -> list[tuple[str, str]]:
    """The modules of the sandbox's that breaks change (tests/breaks/of/_sandboxd_edits.py), and how."""
    pattern = re.compile(r"sed -i ('[^']*') /run/copy; if cmp -s /run/copy /usr/lib/tau/python/(\S+);")
    breaks = (each for overlay in overlays() for each in table(overlay).breaks)
    return [(path, expression) for each in breaks for expression, path in pattern.findall(str(each.guest or ""))]


@pytest.mark.parametrize(("path", "expression"), _edits())
def test_what_a_break_edits_is_there(path: str, expression: str) -> None:
    """Seen here in a moment, and not in an hour's run: a line that was written anew is not found any more."""
    module = ROOT / "overlays/sandboxd/src" / path
    done = subprocess.run(["sh", "-c", f"sed {expression} {module}"], capture_output=True, text=True, check=True)
    assert done.stdout != module.read_text()
    compile(done.stdout, path, "exec")
