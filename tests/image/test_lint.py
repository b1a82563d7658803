"""Each validator finds a broken file of its kind, and its finding names the template and the line that it came from.

They run in the base layer of the default system, which a build or ./inv lint has left in the cache.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from image.findings import FindingsError
from image.lint import lint
from image.mirrors import Mirrors
from image.mkosi_tree import mkosi_tree
from image.overlay import Validator
from image.paths import Paths
from image.progress import Progress
from image.toolbox import Toolbox, is_built
from tests.project import ROOT, Project

#: A path, a whole file of the kind, and the line that breaks it: `{}` in the file.
BROKEN: dict[Validator, tuple[str, str, str, str]] = {
    "apparmor": (
        "root/etc/apparmor.d/t",
        "profile t /usr/bin/t {\n  /etc/passwd r,\n@\n}\n",
        "  /etc/passwd rrq,",
        "t",
    ),
    "bash": ("root/usr/lib/t", "#!/bin/bash\nset -eu\n@\n", "echo $missing_quotes *.txt | grep $1", "SC2086"),
    "dnscrypt": (
        "root/etc/dnscrypt-proxy/t.toml",
        "server_names = ['t']\n@\n[static.t]\nstamp = 'sdns://AgcAAAAAAAAABzEuMC4wLjEAEmRucy5jbG91ZGZsYXJlLmNvbQovZG5zLXF1ZXJ5'\n",
        "max_clients = many",
        "t",
    ),
    "kernel_modules": ("root/etc/modprobe.d/t.conf", "# nothing\n@\n", "blaklist usb", "blaklist"),
    "nftables": (
        "root/etc/nftables.conf",
        "table inet t {\n  chain c {\n@\n  }\n}\n",
        "    tcp dprot 22 accept",
        "dprot",
    ),
    "python": ("root/usr/lib/t", "#!/usr/bin/python3\nimport os\n@\n", "def f(:", "SyntaxError"),
    "repart": ("root/usr/lib/repart.d/50-t.conf", "[Partition]\nType=home\n@\n", "SizeMinBytes=lots", "lots"),
    "sshd": ("root/etc/ssh/sshd_config.d/90-t.conf", "Port 22\n@\n", "PermitRoootLogin no", "PermitRoootLogin"),
    "sudoers": ("root/etc/sudoers.d/t", "# nothing\n@\n", "ALL ALL=(ALL NOPASSWD: ALL", "syntax error"),
    "sysctl": ("root/etc/sysctl.d/90-t.conf", "kernel.panic = 10\n@\n", "no assignment here", "assignment"),
    "systemd": (
        "root/usr/lib/systemd/system/t.service",
        "[Service]\nExecStart=/usr/bin/true\n@\n",
        "ProtectSystm=yes",
        "ProtectSystm",
    ),
    "sysusers": ("root/usr/lib/sysusers.d/t.conf", "# nothing\n@\n", "q nobody", "q"),
    "tmpfiles": (
        "root/usr/lib/tmpfiles.d/t.conf",
        "# nothing\n@\n",
        "d /var/t 0755 no-such-user root -",
        "no-such-user",
    ),
}


@pytest.fixture(scope="module")
def layers() -> tuple[Path, Path, Toolbox]:
    cache = Paths.of(ROOT).cache
    found = [next(cache.glob(f"incremental/tau_*_x86_64/*~{part}.cache"), None) for part in ("main", "default-initrd")]
    root, initrd = found
    if root is None or initrd is None or not is_built(cache):
        pytest.skip("no base layer in the cache yet: ./inv lint makes it")
    return root, initrd, Toolbox.load(cache)


def findings(project: Project, layers: tuple[Path, Path, Toolbox], files: Mapping[str, str]) -> list[str]:
    """What lint finds in an overlay with these files, one finding each."""
    project.overlay("a", "", {**files, "initrd/etc/t": "\n"})
    rendered = project.rendered()
    tree = project.root / "tree"
    mkosi_tree(rendered, Mirrors("http://127.0.0.1:1/debian", "http://127.0.0.1:1/security")).write(tree)
    root, initrd, toolbox = layers
    try:
        lint(rendered, tree, root, initrd, toolbox, Progress(Console(quiet=True)))
    except FindingsError as error:
        return [str(finding) for finding in error.findings]
    return []


def test_every_validator_is_tried() -> None:
    assert set(BROKEN) == set(get_args(Validator))


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file(project: Project, layers: tuple[Path, Path, Toolbox], kind: Validator) -> None:
    path, text, broken, said = BROKEN[kind]
    found = findings(project, layers, {path: text.replace("@", broken)})
    file = f"{project.root}/overlays/a/{path}"
    assert found, "nothing was found"
    assert all(each.startswith(file) for each in found), found
    line = text[: text.index("@")].count("\n") + 1
    assert any(said in each for each in found), found
    assert any(re.match(rf"{re.escape(file)}:{line}\b", each) for each in found), found


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_template(project: Project, layers: tuple[Path, Path, Toolbox], kind: Validator) -> None:
    """The finding is at the template; the line is that of the rendered file, which it names."""
    path, text, broken, said = BROKEN[kind]
    template = "{% if true %}\n" + text.replace("@", broken) + "{% endif %}\n"
    found = findings(project, layers, {f"{path}.j2": template})
    assert found and all(each.startswith(f"{project.root}/overlays/a/{path}.j2: ") for each in found), found
    rendered = "/" + path.removeprefix("root/")
    line = text[: text.index("@")].count("\n") + 1
    assert any(said in each for each in found), found
    assert any(f"rendered as {rendered}:{line}" in each for each in found), found


@pytest.mark.parametrize("kind", BROKEN)
def test_a_good_file(project: Project, layers: tuple[Path, Path, Toolbox], kind: Validator) -> None:
    """Control: without the broken line nothing is found."""
    path, text, _, _ = BROKEN[kind]
    assert findings(project, layers, {path: text.replace("@", "")}) == []


def test_a_program_that_the_image_lacks(project: Project, layers: tuple[Path, Path, Toolbox]) -> None:
    """Silence is no approval. The initrd stands for an image that has no Python."""
    _, initrd, toolbox = layers
    found = findings(project, (initrd, initrd, toolbox), {"root/usr/lib/t": "#!/usr/bin/python3\n"})
    assert len(found) == 1 and "/usr/bin/python3: is not in the image" in found[0] and "root/usr/lib/t: " in found[0]


def test_users_of_ours_own_what_tmpfiles_makes(project: Project, layers: tuple[Path, Path, Toolbox]) -> None:
    files = {
        "root/usr/lib/tmpfiles.d/t.conf": "d /var/t 0755 tau-test tau-test -\n",
        "root/usr/lib/sysusers.d/t.conf": "u tau-test -\n",
    }
    assert findings(project, layers, files) == []
