"""Recipes and overlays: what is refused, with the place and the nearest right name, and what they resolve to."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.findings import FindingsError
from image.models import is_image_path
from image.options import IntegerOption, ListOption, StringOption
from tests.project import Project


def refused(project: Project, *settings: str, recipe: str = "r") -> str:
    with pytest.raises(FindingsError) as caught:
        project.rendered(*settings, recipe=recipe)
    return str(caught.value)


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ("packagez: []", "packagez: is not a known key; did you mean 'packages'?"),
        ("units: {enabel: []}", "units.enabel: is not a known key; did you mean 'enable'?"),
        ("packages: foo", "packages: is text; expected a list"),
        ("packages: ['a b']", "packages.0: 'a b' is not a valid name"),
        ("rows: [99]", "rows.0: is 99; expected less than or equal to 14"),
        ("rows: ['1']", "rows.0: is text; expected a whole number"),
        ("units: {enable: [x.servize]}", "is not a valid name"),
        ("state: [{path: /var/x, reason: x}]", "is not below /etc"),
        ("remove: [/a/../b]", "is not a path inside the image"),
        ("remove: [/a/b*]", "is not a path inside the image"),
        ("initrd_remove: [/a/../*]", "is not a pattern of paths inside the image"),
        ("initrd_remove: ['/a;b*']", "is not a pattern of paths inside the image"),
        ("files: {/a: {mode: '999'}}", "is not a valid name; expected /^[0-7]{4}$/"),
        ("options: {o: {type: integr, default: 1, description: x}}", "is 'integr'; expected one of boolean"),
        ("options: {o: {type: integer, default: 9, maximum: 3, description: x}}", "has a default that is not valid"),
        ("options: {o: {type: string, default: x, pattern: '(', description: x}}", "is not a regular expression"),
        ("validators: {sudoer: []}", "did you mean 'sudoers'?"),
    ],
)
def test_overlay_is_refused(project: Project, overlay: str, said: str) -> None:
    project.overlay("a", overlay)
    text = refused(project)
    assert said in text
    assert "overlays/a/overlay.yaml:3" in text


def test_all_findings_of_all_overlays_at_once(project: Project) -> None:
    project.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a, b, cc]\n')
    project.overlay("a", "x: 1\ny: 2")
    project.overlay("b", "z: 1")
    project.overlay("ccc")
    text = refused(project)
    assert all(f"{key}: is not a known key" in text for key in "xyz")
    assert "r.yaml:4: overlays.2: no overlay 'cc'; did you mean 'ccc'?" in text


@pytest.mark.parametrize("name", ["../a", "a/b", "a\n", "A", "", "а", "a\0", "." * 300])
def test_hostile_overlay_names(project: Project, name: str) -> None:
    project.overlay("a")
    project.recipe("r", "")
    (project.root / "recipes/r.yaml").write_text(
        f'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [{__import__("json").dumps(name)}]\n'
    )
    assert "is not a valid name" in refused(project)


def test_requirements_conflicts_and_cycles(project: Project) -> None:
    project.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a, b]\n')
    project.overlay("a", "requires: [c]")
    project.overlay("b", "conflicts: [a]")
    text = refused(project)
    assert "the overlay 'a' requires 'c', which is not in the recipe" in text
    assert "the overlays 'b' and 'a' can't be in one recipe" in text
    project.overlay("a", "requires: [b]")
    project.overlay("b", "requires: [a]")
    assert "makes a circle: a -> b -> a" in refused(project)


def test_what_is_required_comes_first(project: Project) -> None:
    project.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a, b, c]\n')
    project.overlay("a", "requires: [c]")
    project.overlay("b")
    project.overlay("c")
    assert [overlay.name for overlay in project.rendered().plan.overlays] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("a", "is not a setting; expected overlay.option=value"),
        ("c.size=1", "the overlay 'c' is not in the recipe"),
        (
            "a.siez=1",
            "--set a.siez=1: the overlay 'a' has no such option; expected one of name, size; did you mean 'size'?",
        ),
        ("a.x=1", "the overlay 'a' has no such option; expected one of name, size"),
        ("b.x=1", "the overlay 'b' has no options"),
        ("a.size=big", "must be a whole number"),
        ("a.size=0", "must be at least 1"),
        ("a.name=x\ny", "must be one line of printable characters"),
    ],
)
def test_settings_of_the_command_line(project: Project, setting: str, said: str) -> None:
    project.overlay(
        "a",
        """
        options:
          size: {type: integer, default: 3, minimum: 1, description: x}
          name: {type: string, default: x, description: x}
        """,
    )
    project.overlay("b")
    project.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a, b]\n')
    text = refused(project, setting)
    assert said in text
    assert len(text.splitlines()) == 1


def test_the_command_line_wins_over_the_recipe_and_that_over_what_it_extends(project: Project) -> None:
    option = "{type: integer, default: 0, description: x}"
    project.overlay("a", f"options: {{x: {option}, y: {option}, z: {option}}}")
    project.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a]\noptions: {a: {x: 1, y: 1, z: 1}}\n')
    project.recipe("s", "title: S\nextends: r\noptions: {a: {y: 2, z: 2}}\n")
    plan = project.rendered("a.z=3", recipe="s").plan
    assert plan.overlays[0].options == {"x": 1, "y": 2, "z": 3}
    assert (plan.version, plan.title) == ("1", "S")


def test_a_recipe_that_extends(project: Project) -> None:
    project.overlay("a")
    project.overlay("b")
    project.recipe("s", "title: S\nextends: r\nremove_overlays: [a]\noverlays: [b]\n")
    assert [overlay.name for overlay in project.rendered(recipe="s").plan.overlays] == ["b"]
    project.recipe("s", "title: S\nextends: r\nremove_overlays: [x]\n")
    assert "s.yaml:3: remove_overlays.0: 'x' is not in the recipe" in refused(project, recipe="s")
    project.recipe("s", "title: S\nextends: t\n")
    project.recipe("t", "title: T\nextends: s\n")
    assert "makes a circle: s -> t -> s" in refused(project, recipe="s")
    project.recipe("s", "title: S\nextends: rr\n")
    assert "no recipe 'rr'; did you mean 'r'?" in refused(project, recipe="s")
    project.recipe("s", "title: S\n")
    assert "version: is missing" in refused(project, recipe="s")
    assert "no recipe 'q'" in refused(project, recipe="q")


@given(st.text())
def test_option_text_has_no_control_characters(text: str) -> None:
    option = StringOption(type="string", default="", description="x")
    try:
        value = option.parse(text)
    except ValueError:
        return
    assert value == text and isinstance(value, str) and value.isprintable() and len(value) <= 256


@given(st.integers(), st.text())
def test_integers_stay_within_bounds(number: int, text: str) -> None:
    option = IntegerOption(type="integer", default=1, minimum=-5, maximum=5, description="x")
    for word in (str(number), text):
        try:
            value = option.parse(word)
        except ValueError:
            continue
        assert isinstance(value, int) and -5 <= value <= 5


@given(st.lists(st.text(alphabet="ab1.", min_size=1), max_size=5))
def test_lists_survive_the_command_line(items: list[str]) -> None:
    option = ListOption(type="list", default=[], description="x")
    assert option.parse(",".join(items)) == items


@given(st.text(alphabet="/.a\n\0é "))
def test_an_image_path_can_not_leave_the_image(text: str) -> None:
    if is_image_path(text):
        assert text.startswith("/") and ".." not in text.split("/") and text.isascii() and text.isprintable()


def test_a_recipe_of_ones_own_lies_anywhere(project: Project, tmp_path: Path) -> None:
    project.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a]\n')
    project.overlay("a")
    mine = tmp_path / "elsewhere" / "mine.yaml"
    mine.parent.mkdir()
    mine.write_text("title: Mine\nextends: r\n")
    assert project.rendered(recipe=str(mine)).plan.stem.startswith("mine_1_")
    assert "no recipe" in refused(project, recipe=str(mine.with_suffix("")))
    assert "can't be the name of a recipe" in refused(project, recipe=str(mine.with_name("My Own.yaml")))
    assert str(mine.with_name("other.yaml")) in refused(project, recipe=str(mine.with_name("other.yaml")))
