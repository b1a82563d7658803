"""All that is wrong is told in one run, wherever it is, and nothing that is only a consequence of something else."""

from collections.abc import Sequence

import pytest

from image import commands
from image.findings import FindingsError
from image.request import Request
from tests.project import Project

HEAD = 'title: R\nversion: "1"\ndate: "2026-01-02"\n'
#: A recipe whose overlays are known, whatever else is wrong with it.
KNOWN = f"{HEAD}overlays: [a, b]\n"
OPTIONS = "options: {line: {type: string, default: x, description: x}}\n"


def refused(project: Project, *settings: str, arch: str = "x86_64", overlay_path: Sequence[str] = ()) -> list[str]:
    """What is said of the recipe ``r``, one finding each, with paths as from the project's folder."""
    with pytest.raises(FindingsError) as caught:
        commands.rendered(project.root, Request("r", arch, settings, overlay_path))
    return [str(finding).replace(f"{project.root}/", "").split("\n")[0] for finding in caught.value.findings]


def test_recipe_overlays_templates_settings_and_architecture(project: Project) -> None:
    project.recipe("r", f"{HEAD}titel: x\noverlays: [a, b, cc]\n")
    project.overlay(
        "a", "packagez: []\nrows: [99]", {"root/etc/f.j2": "{{ option.line }}", "root/etc/g.j2": "{% if %}"}
    )
    project.overlay(
        "b", OPTIONS, {"initrd/etc/f.j2": "\n{{ options.lin }}", "root/a b": "", "finalize.chroot.j2": "{{ x }}"}
    )
    assert refused(project, "b.lime=1", "b") == [
        "--set b.lime=1: the overlay 'b' has no such option; expected one of line; did you mean 'line'?",
        "--set b: is not a setting; expected overlay.option=value",
        "overlays/a/overlay.yaml:3: packagez: is not a known key; did you mean 'packages'?",
        "overlays/a/overlay.yaml:4: rows.0: is 99; expected less than or equal to 14",
        "overlays/a/root/etc/f.j2:1: 'option' is not defined; did you mean 'options'?",
        "overlays/a/root/etc/g.j2:1: template error: Expected an expression, got 'end of statement block'",
        "overlays/b/finalize.chroot.j2:1: 'x' is not defined; expected one of options, overlays, plan",
        "overlays/b/initrd/etc/f.j2:2: options has no 'lin'; did you mean 'line'?",
        "overlays/b/root/a b: has a name that is no path of an image",
        "recipes/r.yaml:4: titel: is not a known key; did you mean 'title'?",
        "recipes/r.yaml:5: overlays.2: no overlay 'cc'; expected one of a, b",
    ]
    assert "--arch x86: no such architecture" in refused(project, arch="x86")[0]
    assert any("cc" in each for each in refused(project, arch="x86"))


def test_all_that_is_wrong_in_one_file(project: Project) -> None:
    project.recipe("r", f"{HEAD}overlays: [B, a, a-b]\nextends: s\ntitle: S\n")
    project.overlay("a", "rows: [!x 1, 99]\ntitle: T\nstate: [{path: /etc/x}]\nrequires: [b]\nconflicts: [9, a]")
    assert refused(project) == [
        "overlays/a/overlay.yaml:3: rows.0: has the tag '!x'; expected a plain value",
        "overlays/a/overlay.yaml:3: rows.1: is 99; expected less than or equal to 14",
        "overlays/a/overlay.yaml:4: title: is given twice, first in line 1",
        "overlays/a/overlay.yaml:5: state.0.reason: is missing",
        "overlays/a/overlay.yaml:7: conflicts.0: is a whole number; expected text",
        "overlays/a/overlay.yaml:7: conflicts.1: the overlays 'a' and 'a' can't be in one recipe",
        "recipes/r.yaml:4: overlays.0: 'B' is not a valid name; expected /^[a-z][a-z0-9-]{0,39}$/",
        "recipes/r.yaml:4: overlays.2: no overlay 'a-b'; expected one of a",
        "recipes/r.yaml:5: extends: no recipe 's'; expected one of r",
        "recipes/r.yaml:6: title: is given twice, first in line 1",
    ]


@pytest.mark.parametrize(
    ("recipe", "overlay", "said"),
    [
        # A recipe that can't be read: nobody knows what it names, extends, or is the version of.
        ("a: [", OPTIONS, "recipes/r.yaml:1: is not valid YAML"),
        (f"{HEAD}overlys: [a]\noptions: {{a: {{x: 1}}}}\n", OPTIONS, "recipes/r.yaml:4: overlys: is not a known key"),
        (f"{HEAD}overlays: [a]\nextends: q\nremove_overlays: [b]\n", f"{OPTIONS}requires: [c]", "r.yaml:5: extends:"),
        ("title: R\nextends: q\noverlays: [a]\n", OPTIONS, "recipes/r.yaml:2: extends: no recipe 'q'"),
        # What is in an overlay that can't be read is not known, and is not missing elsewhere.
        (f"{HEAD}overlays: [a, c]\n", f"{OPTIONS}requires: [c]", "recipes/r.yaml:4: overlays.1: no overlay 'c'"),
        (
            f"{HEAD}overlays: [a, b]\noptions: {{a: {{line: 1}}}}\n",
            OPTIONS,
            "recipes/r.yaml:5: options.a.line: must be",
        ),
        (
            f"{HEAD}overlays: [a, b]\n",
            OPTIONS.replace("options", "option"),
            "overlay.yaml:3: option: is not a known key",
        ),
        (f"{KNOWN}options: {{a: {{line: x}}}}\n", "options: [", "overlay.yaml:3: is not valid YAML"),
        (
            f"{HEAD}overlays: [a, b]\n",
            f"{OPTIONS}files: {{/etc/f: {{mode: '9'}}, /etc/d: {{mode: '0700'}}}}",
            "files./etc",
        ),
        # Bad values: "is missing" would be said of what is there.
        (KNOWN.replace('"1"', "one"), OPTIONS, "recipes/r.yaml:2: version: 'one'"),
        (
            'title: R\nversion: "1"\ndate: 2026-01-02\noverlays: [a, b]\n',
            OPTIONS,
            "recipes/r.yaml:3: date: has the tag",
        ),
    ],
)
def test_nothing_that_only_follows(project: Project, recipe: str, overlay: str, said: str) -> None:
    (project.root / "recipes/r.yaml").write_text(recipe)
    option, versions, others = (
        "{{ 'x' + options.line }}",
        "{{ plan.version + plan.date }}",
        "{{ 1 / ('b' in overlays) }}",
    )
    project.overlay("a", overlay, {"root/etc/f.j2": option, "root/etc/d/g.j2": versions, "root/etc/d/h.j2": others})
    project.overlay("b")
    found = refused(project)
    assert len(found) == 1 and said in found[0], found


def test_a_folder_of_overlays_that_is_not_there(project: Project) -> None:
    """What is wrong elsewhere is told with it, but not that an overlay which may be in there is unknown."""
    project.recipe("r", f"{HEAD}overlays: [a, b]\n")
    project.overlay("a", "rows: [99]")
    found = refused(project, overlay_path=[str(project.root / "mine")])
    assert found == [
        "mine: is not a folder of overlays",
        "overlays/a/overlay.yaml:3: rows.0: is 99; expected less than or equal to 14",
    ]


def test_what_failed_to_render_is_there(project: Project) -> None:
    """The modes of what could not be rendered, or rendered to nothing, are no mistakes."""
    files = "files: {/etc/f: {mode: '0600'}, /etc/d: {mode: '0700'}, /etc/e: {mode: '0700'}}"
    templates = {"root/etc/f.j2": "{{ x }}", "root/etc/d/g.j2": "{{ y }}", "root/etc/e/h.j2": ""}
    project.overlay("a", files, templates)
    assert [each.split(":")[0] for each in refused(project)] == [
        "overlays/a/root/etc/d/g.j2",
        "overlays/a/root/etc/f.j2",
    ]


def test_a_broken_recipe_hides_no_others_in_the_list(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    from image import listing

    project.recipe("r", f"{HEAD}overlays: [a]\n")
    project.recipe("bad", "titel: x\n")
    with pytest.raises(FindingsError, match=r"bad\.yaml:1: titel"):
        listing.recipes(project.root)
    assert "RECIPE" in capsys.readouterr().out
