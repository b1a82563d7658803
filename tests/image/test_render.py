"""Rendering: deterministic, with stated modes, and with errors that name template and line."""

import os
import stat
from pathlib import Path

import pytest

from image.findings import FindingsError
from image.mirrors import Mirrors
from image.mkosi_tree import mkosi_tree
from image.plan import PLAN_PATH, read_plan
from image.request import Request
from image.tree import File, Tree
from tests.project import ROOT, Project

MIRRORS = Mirrors("http://127.0.0.1:1/debian", "http://127.0.0.1:1/security")


def refused(project: Project) -> str:
    with pytest.raises(FindingsError) as caught:
        project.rendered()
    return str(caught.value)


def test_templates_see_options_overlays_and_plan(project: Project) -> None:
    project.overlay(
        "a",
        "options: {who: {type: string, default: you, description: x}}",
        {
            "root/etc/hello.j2": "{{ options.who }} {{ plan.version }} {{ overlays.a.who }}\n",
            "root/etc/plain": "{{ not rendered }}\n",
            "root/etc/nothing.j2": "{% if 'b' in overlays %}x{% endif %}\n",
        },
    )
    files = project.rendered("a.who=me").root.files
    assert files["etc/hello"].content == b"me 1 me\n"
    assert files["etc/plain"].content == b"{{ not rendered }}\n"
    assert "etc/nothing" not in files


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("\n{{ options.whom }}\n", "f.j2:2: options has no 'whom'; did you mean 'who'?"),
        ("{{ options['x'] + 1 }}\n", "f.j2:1: options has no 'x'; expected one of many, who"),
        ("{% for x in options.man %}{% endfor %}\n", "f.j2:1: options has no 'man'; did you mean 'many'?"),
        ("{{ overlays.doh.who }}\n", "f.j2:1: overlays has no 'doh'; expected one of a, b-c"),
        ("{{ overlays['b-c'].who }}\n", "f.j2:1: overlays['b-c'] is empty, it has no 'who'"),
        ("\n{{ plan.versoin }}\n", "f.j2:2: plan has no 'versoin'; did you mean 'version'?"),
        ("\n\n{{ option.who }}\n", "f.j2:3: 'option' is not defined; did you mean 'options'?"),
        ("{{ whom }}\n", "f.j2:1: 'whom' is not defined; expected one of options, overlays, plan"),
        ("{% for one in options.many %}{{ on }}{% endfor %}\n", "f.j2:1: 'on' is not defined; did you mean 'one'?"),
        ("{% for x in [] %}{% endfor %}{{ x }}\n", "f.j2:1: 'x' is not defined; expected one of options, overlays"),
        ("{{ {'quad9': 1}['quad8'] }}\n", "f.j2:1: the mapping has no 'quad8'; did you mean 'quad9'?"),
        ("{{ options.who.name }}\n", "f.j2:1: template error: 'str object' has no attribute 'name'"),
        ("{{ [] | first }}\n", "f.j2:1: template error: No first item, sequence was empty."),
        ("{% if %}\n", "f.j2:1: template error:"),
        ("a\n{{ 1 / 0 }}\n", "f.j2:2: template error: division by zero"),
    ],
)
def test_a_template_error_names_template_line_and_name(project: Project, template: str, said: str) -> None:
    project.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a, b-c]\n')
    options = "{who: {type: string, default: x, description: x}, many: {type: list, default: [x], description: x}}"
    project.overlay("a", f"options: {options}", {"root/etc/f.j2": ""})
    project.overlay("b-c")
    (project.root / "overlays/a/root/etc/f.j2").write_text(template)
    assert said in refused(project)


def test_all_names_that_a_template_lacks_are_told_at_once(project: Project) -> None:
    options = "options: {who: {type: string, default: x, description: x}}"
    template = "{{ options.whom }}\n{% for x in options.hosts %}{% endfor %}\n{{ plan.arc }}{{ port + 1 }}\n"
    project.overlay("a", options, {"root/etc/f.j2": template})
    said = refused(project).splitlines()
    assert [line.rpartition("/")[2].partition(";")[0] for line in said] == [
        "f.j2:1: options has no 'whom'",
        "f.j2:2: options has no 'hosts'",
        "f.j2:3: plan has no 'arc'",
        "f.j2:3: 'port' is not defined",
    ]
    assert "expected one of options, overlays, plan" in said[-1]


def test_two_overlays_and_one_path(project: Project) -> None:
    project.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a, b]\n')
    project.overlay("a", "", {"root/etc/f": "1"})
    project.overlay("b", "", {"root/etc/f.j2": "2"})
    assert "the overlays 'a' and 'b' both write /etc/f" in refused(project)
    project.overlay("b", "overrides: [/etc/f]", {"root/etc/f.j2": "2"})
    assert project.rendered().root.files["etc/f"].content == b"2"


def test_a_python_package_of_an_overlay(project: Project) -> None:
    files = {
        "src/pkg/__init__.py": "",
        "src/pkg/part/data.conf": "x",
        "src/pkg/__pycache__/__init__.pyc": "",
        "src/other.py": "",
    }
    project.overlay("a", "python: [src/pkg]\nfiles: {/usr/lib/tau/python/pkg/part/data.conf: {mode: '0600'}}", files)
    laid = project.rendered().root.files
    assert set(laid) - {PLAN_PATH.lstrip("/")} == {
        "usr/lib/tau/python/pkg/__init__.py",
        "usr/lib/tau/python/pkg/part/data.conf",
    }
    assert laid["usr/lib/tau/python/pkg/part/data.conf"].mode == 0o600


def test_a_folder_that_is_no_python_package(project: Project) -> None:
    project.overlay("a", "python: [src/pkg, ../etc]", {"src/pkg/x.py": ""})
    said = refused(project)
    assert "overlay.yaml:3: python.0: " in said and "src/pkg is not a Python package; expected an __init__.py" in said
    assert "python.1: '../etc' is not a valid name" in said


def test_a_link_and_a_file_of_one_path(project: Project) -> None:
    project.overlay("a", "links: {/etc/f: g}", {"root/etc/f": "1"})
    assert "overlays/a: /etc/f is written twice" in refused(project)


def test_modes_are_stated_and_never_the_checkouts(project: Project, tmp_path: Path) -> None:
    folder = project.overlay(
        "a",
        "files: {/etc/s: {mode: '0440'}, /usr/lib/x: {mode: '0755', owner: daemon}, /etc/d: {mode: '0700'}}",
        {"root/etc/s": "s", "root/usr/lib/x": "x", "root/etc/plain": "p", "root/etc/d/f": "f"},
    )
    (folder / "root/etc/plain").chmod(0o777)
    old = os.umask(0o077)
    try:
        rendered = project.rendered()
        mkosi_tree(rendered, MIRRORS).write(tmp_path / "out")
    finally:
        os.umask(old)
    modes = {
        path: stat.S_IMODE((tmp_path / "out/mkosi.extra" / path).stat().st_mode)
        for path in ("etc/s", "usr/lib/x", "etc/plain", "etc/d", "etc", "usr/lib")
    }
    assert modes == {
        "etc/s": 0o440,
        "usr/lib/x": 0o755,
        "etc/plain": 0o644,
        "etc/d": 0o700,
        "etc": 0o755,
        "usr/lib": 0o755,
    }
    assert "chown -- daemon:root '/usr/lib/x'" in (tmp_path / "out/mkosi.postinst.chroot").read_text()


def test_one_path_in_the_image_and_in_its_initrd(project: Project) -> None:
    project.overlay("a", "files: {/usr/x: {mode: '0755'}}", {"root/usr/x": "1", "initrd/usr/x": "2"})
    rendered = project.rendered()
    assert (rendered.root.files["usr/x"].mode, rendered.initrd.files["usr/x"].mode) == (0o755, 0o755)


def test_one_file_for_the_image_and_its_initrd(project: Project) -> None:
    files = {"both/usr/lib/x/f.j2": "{{ plan.arch }}", "root/etc/r": "", "initrd/etc/i": ""}
    project.overlay("a", "files: {/usr/lib/x/f: {mode: '0755'}, /usr/lib/x: {mode: '0700'}}", files)
    rendered = project.rendered()
    assert {path for path in rendered.root.files if f"/{path}" != PLAN_PATH} == {"usr/lib/x/f", "etc/r"}
    assert set(rendered.initrd.files) == {"usr/lib/x/f", "etc/i"}
    for tree in (rendered.root, rendered.initrd):
        assert (tree.files["usr/lib/x/f"].content, tree.files["usr/lib/x/f"].mode) == (b"x86_64", 0o755)
    assert rendered.root.folder_modes == {"usr/lib/x": 0o700}


@pytest.mark.parametrize("other", ["root/etc/f", "initrd/etc/f", "both/etc/f.j2"])
def test_what_is_written_twice(project: Project, other: str) -> None:
    project.overlay("a", "", {"both/etc/f": "1", other: "2"})
    assert "overlays/a: /etc/f is written twice" in refused(project)


def test_a_template_for_both_is_judged_once(project: Project) -> None:
    project.overlay("a", "", {"both/etc/f.j2": "{{ x }}"})
    assert refused(project).count("f.j2:1") == 1


@pytest.mark.parametrize(
    ("name", "meant"),
    [("rootfs/etc/f", "root"), ("Root/etc/f", "root"), ("finalise.chroot", "finalize.chroot"), ("init/f", "initrd")],
)
def test_what_is_almost_called_right(project: Project, name: str, meant: str) -> None:
    """An image without it would be built."""
    project.overlay("a", "", {name: ""})
    assert f"overlays/a/{name.partition('/')[0]}: is not read; did you mean {meant!r}?" in refused(project)


def test_what_else_may_lie_in_an_overlay(project: Project) -> None:
    project.overlay("a", "", {"root/etc/f": "", "README.md": "", "src/x.py": "", "tests/t.py": "", "overlay.yaml~": ""})
    project.rendered()


def test_attributes_of_what_is_not_there(project: Project) -> None:
    project.overlay("a", "files: {/etc/typo: {mode: '0440'}}")
    assert "files./etc/typo: the overlay has no such file or folder" in refused(project)


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_only_files_and_folders(project: Project, kind: str) -> None:
    folder = project.overlay("a", "", {"root/etc/f": "1"})
    if kind == "link":
        (folder / "root/etc/l").symlink_to("/etc/shadow")
    else:
        os.mkfifo(folder / "root/etc/l")
    assert "root/etc/l: is " in refused(project)


def test_an_odd_file_name(project: Project) -> None:
    project.overlay("a", "", {"root/etc/x\ny": "1"})
    assert "has a name that is no path of an image" in refused(project)
    assert "x\\ny" in refused(project)


def test_the_same_recipe_gives_the_same_bytes(project: Project) -> None:
    project.overlay("a", "packages: [bb, aa]\nunits: {mask: [x.service]}", {"root/etc/f": "1", "root/etc/g.j2": "2"})
    first, second = (mkosi_tree(project.rendered(), MIRRORS) for _ in range(2))
    assert first == second
    assert first.links == {"mkosi.extra/etc/systemd/system/x.service": "/dev/null"}


def test_the_plan_goes_into_the_image_and_holds_nothing_of_the_host(project: Project) -> None:
    project.overlay("a", "rows: [4]", {"root/etc/f": "1"})
    rendered = project.rendered()
    text = rendered.root.files[PLAN_PATH.lstrip("/")].content
    assert read_plan(text, Path("x")) == rendered.plan
    assert rendered.plan.rows == {4: ["a"]}
    assert str(project.root).encode() not in text and b"127.0.0.1" not in text
    with pytest.raises(FindingsError, match="is not a plan"):
        read_plan(b'{"format": 2}', Path("x"))


def test_a_tree_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "t"
    Tree({"a": File(b"1")}).write(target)
    Tree({"b": File(b"2")}).write(target)
    assert [path.name for path in target.iterdir()] == ["b"]
    with pytest.raises(FindingsError, match="can't be written"):
        Tree({"c": File(b"3"), "c/d": File(b"4")}).write(target)
    assert (target / "b").read_bytes() == b"2"
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_every_recipe_of_ours_renders() -> None:
    recipes = sorted((ROOT / "recipes").glob("*.yaml"))
    assert recipes
    for path in recipes:
        for arch in ("x86_64", "aarch64"):
            from image.commands import rendered

            plan = rendered(ROOT, Request(path.stem, arch)).plan
            assert plan.arch == arch and "platform" in [overlay.name for overlay in plan.overlays]
