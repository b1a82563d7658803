"""The mkosi tree: what `render` leaves for a person to read, and what `build` hands to mkosi."""

import datetime
from pathlib import Path

from image.mirrors import Mirrors
from image.render import Rendered
from image.templating import render_text
from image.tree import File, Tree

TEMPLATES = Path(__file__).parent / "templates"
MKOSI_ARCHITECTURES = {"x86_64": "x86-64", "aarch64": "arm64"}


def mkosi_tree(rendered: Rendered, mirrors: Mirrors) -> Tree:
    """Make the tree of a rendered recipe. Modes are stated; owners are set by its postinst script.

    :param mirrors: where this host fetches packages from. It is in no artefact.
    """
    tree = Tree()
    plan = rendered.plan
    context = {
        "plan": plan,
        "mkosi_architecture": MKOSI_ARCHITECTURES[plan.arch],
        "epoch": int(datetime.datetime.fromisoformat(f"{plan.date}T00:00:00+00:00").timestamp()),
        "finalize": [_script_name(i, overlay) for i, (overlay, _) in enumerate(rendered.finalize)],
        "initrd_packages": rendered.initrd_packages,
        "initrd_remove": rendered.initrd_remove,
        "owned": [file for file in plan.files if (file.owner, file.group) != ("root", "root")],
    }
    for template in sorted(TEMPLATES.glob("mkosi.*.j2")):
        mode = 0o755 if ".chroot" in template.name else 0o644
        tree.add_text(template.stem, render_text(template, context), mode)
    for template in sorted((TEMPLATES / "repart").glob("*.j2")):
        tree.add_text(f"mkosi.repart/{template.stem}", render_text(template, context))
    for name, part in (("mkosi.extra", rendered.root), ("mkosi.initrd.extra", rendered.initrd)):
        tree.files |= {f"{name}/{path}": file for path, file in part.files.items()}
        tree.links |= {f"{name}/{path}": target for path, target in part.links.items()}
        tree.folder_modes |= {f"{name}/{path}": mode for path, mode in part.folder_modes.items()}
        tree.folder_modes.setdefault(name, 0o755)  # mkosi insists on it, also when nothing is laid over the initrd
    for scope, units in (("system", plan.units), ("user", plan.user_units)):
        path = f"mkosi.extra/usr/lib/systemd/{scope}-preset/10-tau.preset"
        tree.add_text(path, render_text(TEMPLATES / "preset.j2", {"units": units}))
    for index, (overlay, script) in enumerate(rendered.finalize):
        tree.files[_script_name(index, overlay)] = script
    add_sources(tree, "mkosi.sandbox", mirrors, "trixie")
    add_sources(tree, "mkosi.tools.sandbox", mirrors, "forky")
    return tree


def add_sources(tree: Tree, folder: str, mirrors: Mirrors, suite: str) -> None:
    """Add apt sources of a Debian suite, with its updates and security updates, to a sandbox tree of mkosi."""
    base = f"{folder}/etc/apt"
    tree.files[f"{base}/sources.list.d/mkosi.sources"] = File(mirrors.sources(suite).encode())
    if options := mirrors.apt_conf():
        tree.files[f"{base}/apt.conf.d/50-tau-host"] = File(options.encode())


def _script_name(index: int, overlay: str) -> str:
    return f"finalize/{index:02}-{overlay}.chroot"
