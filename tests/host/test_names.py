"""./inv with names that are not there: refused at once, with the right ones, and where was looked for them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.program import Program

import tasks
from image import commands
from tests.project import ROOT, Project


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """What ./inv says of a command line that it must refuse before any work is begun."""

    def work(*_: object) -> None:
        raise AssertionError("work was begun")

    for name in ("lint", "build", "tools_for"):
        monkeypatch.setattr(commands, name, work)

    def run(words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            Program(namespace=Collection.from_module(tasks)).run(["inv", *words.split()])
        assert ended.value.code == 1
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--overlay firewal", "no overlay 'firewal'; did you mean 'firewall'?\n    looked in {root}/overlays;"),
        ("--overlay x", "no overlay 'x'; expected one of apparmor, doh,"),
        ("--overlay x --image /no/such", "no overlay 'x'; expected one of apparmor, doh,"),
        ("--overlay x --overlay-path {mine}", "expected one of apparmor, banner, bare, doh,"),
        ("--overlay x --overlay-path {mine}", "looked in {mine}, {root}/overlays; --overlay-path DIR names another"),
        (
            "--overlay x --overlay-path {mine}/bare",
            "{mine}/bare: is an overlay; expected the folder that holds it,",
        ),
        ("--overlay banner --overlay-path {mine}", "--overlay banner: is not in the recipe 'tau'; expected one of"),
        ("--overlay ssh --recipe offline", "--overlay ssh: is not in the recipe 'offline'; expected one of"),
        ("--overlay bare --overlay-path {mine}", "{mine}/bare: has no checks; expected a test_….py in it"),
        ("--overlay banner --overlay-path {mine} --breaks --image x", "no breaks are written for 'banner'"),
    ],
)
def test_an_overlay_to_test(project: Project, refused: Callable[[str], str], words: str, said: str) -> None:
    project.overlay("banner", "", {"test_banner.py": ""})
    project.overlay("bare")
    places = {"root": ROOT, "mine": project.root / "overlays"}
    assert said.format(**places) in refused(f"test {words}".format(**places))


def test_an_overlay_to_describe(tmp_path: Path, refused: Callable[[str], str]) -> None:
    assert refused(f"overlays --name sudoo --overlay-path {tmp_path}").strip() == (
        f"no overlay 'sudoo'; did you mean 'sudo'?\n"
        f"    looked in {tmp_path}, {ROOT}/overlays; --overlay-path DIR names another"
    )
