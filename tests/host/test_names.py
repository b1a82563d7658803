"""./inv with names that are not there: refused at once, with the right ones, and where was looked for them."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.program import Program

import tasks
from image import commands
from image.request import Request
from qemu import run
from tests.project import ROOT, Project


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """What ./inv says of a command line that it must refuse before any work is begun."""

    def work(*_: object) -> None:
        raise AssertionError("work was begun")

    for name in ("lint", "build", "tools_for"):
        monkeypatch.setattr(commands, name, work)
    monkeypatch.setattr(run, "fast", work)

    def ran(words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            Program(namespace=Collection.from_module(tasks)).run(["inv", *words.split()])
        assert ended.value.code == 1
        return capsys.readouterr().err

    return ran


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "--fast --overlay sudo",
            "--overlay: no effect with --fast, which builds and boots nothing (--keyword",
        ),
        ("--fast --image x --breaks", "--image, --breaks: no effect with --fast"),
        ("--fast --arch x86_64 --recipe offline", "--recipe, --arch: no effect with --fast"),
        ("--fast --set sudo.x=1 --overlay-path x --mirror x --mkosi x", "--set, --overlay-path, --mirror, --mkosi: no"),
        ("--image x --recipe offline", "--recipe: no effect with --image"),
        ("--image x --set sudo.x=1 --arch aarch64", "--arch, --set: no effect with --image"),
    ],
)
def test_an_option_that_would_change_nothing(refused: Callable[[str], str], words: str, said: str) -> None:
    assert said in refused(f"test {words}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--only app", "--only app: there is no such part"),
        ("--image x", "--image: no effect without --only apps"),
        ("--only images --image x", "--image: no effect without --only apps"),
        ("--only apps --image x --boots 2", "--boots: no effect with --only apps"),
        ("--only apps --image x --arch aarch64", "--arch: no effect with --image"),
    ],
)
def test_what_a_benchmark_is_not_told(refused: Callable[[str], str], words: str, said: str) -> None:
    assert said in refused(f"bench {words}")


def test_what_goes_with_fast(refused: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: what has an effect is not refused; pytest's exit status is the task's."""
    chosen = []

    def fast(_: Path, keyword: str) -> int:
        chosen.append(keyword)
        return 1

    monkeypatch.setattr(run, "fast", fast)
    assert refused("test --fast --keyword recipe --recipe tau") == "" and chosen == ["recipe"]


def test_options_are_alike_in_all_tasks() -> None:
    """What is asked for has one name and one kind of value everywhere, and no letter: those would differ by task."""
    kinds = defaultdict(set)
    for name, each in Collection.from_module(tasks).tasks.items():
        for option in each.get_arguments():
            assert len(option.names) == 1, (name, option)
            kinds[option.name].add((option.kind, str(option.default)))
    usual = {name: kinds[name] for name in ("recipe", "arch", "set", "overlay_path", "mirror", "mkosi")}
    assert usual == {
        "recipe": {(str, "tau")},
        **{name: {(str, "")} for name in ("arch", "mirror", "mkosi")},
        **{name: {(list, "[]")} for name in ("set", "overlay_path")},
    }


@pytest.mark.parametrize("name", ["build", "render", "lint", "boot", "test", "bench"])
def test_what_is_asked_for_reaches_the_task(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked: list[Request] = []

    def work(*arguments: object) -> None:
        asked.extend(each for each in arguments if isinstance(each, Request))
        raise Exit(code=3)

    for step in ("lint", "build", "render", "image_path", "bench"):
        monkeypatch.setattr(commands, step, work)
    words = [name, "--recipe", "r", "--arch", "a", "--overlay-path", "o", "--overlay-path", "p"]
    with pytest.raises(SystemExit) as ended:
        Program(namespace=Collection.from_module(tasks)).run(["inv", *words])
    assert ended.value.code == 3
    assert [(each.recipe, each.arch, each.overlay_path) for each in asked] == [("r", "a", ["o", "p"])]


def test_an_overlay_to_describe(tmp_path: Path, refused: Callable[[str], str]) -> None:
    assert refused(f"overlays --name sudoo --overlay-path {tmp_path}").strip() == (
        f"no overlay 'sudoo'; did you mean 'sudo'?\n"
        f"    looked in {tmp_path}, {ROOT}/overlays; --overlay-path DIR names another"
    )
