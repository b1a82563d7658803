"""Put every rendered file through the real tool of its kind."""

import fnmatch
import importlib
from pathlib import Path
from typing import Literal, get_args

from image.findings import Finding, FindingsError
from image.overlay import Overlay, Validator
from image.progress import Progress
from image.render import Rendered
from image.toolbox import Toolbox
from image.tree import File
from image.validators.stage import Stage, Subject, ToolMissingError

#: Which tool a file goes through by where it lies; overlays add to it under `validators:`.
BY_PATH: dict[str, Validator] = {
    "/etc/apparmor.d/[!.]*": "apparmor",
    "/etc/apparmor/earlypolicy/*": "apparmor",
    "/etc/dnscrypt-proxy/*.toml": "dnscrypt",
    "/etc/modprobe.d/*.conf": "kernel_modules",
    "/usr/lib/modprobe.d/*.conf": "kernel_modules",
    "/etc/nftables.conf": "nftables",
    "/usr/lib/repart.d/*.conf": "repart",
    "/etc/ssh/sshd_config.d/*.conf": "sshd",
    "/etc/sudoers.d/*": "sudoers",
    "/etc/sysctl.d/*.conf": "sysctl",
    "/usr/lib/sysctl.d/*.conf": "sysctl",
    "/etc/systemd/system/*": "systemd",
    "/usr/lib/systemd/system/*": "systemd",
    "/usr/lib/systemd/user/*": "systemd",
    "/usr/lib/sysusers.d/*.conf": "sysusers",
    "/usr/lib/tau/python/*.py": "python",
    "/usr/lib/tmpfiles.d/*.conf": "tmpfiles",
    "/etc/tmpfiles.d/*.conf": "tmpfiles",
}
#: Folders below /etc/apparmor.d whose files are parts of profiles, not profiles.
_APPARMOR_PARTS = ("abi", "abstractions", "tunables", "local", "disable", "force-complain", "cache")


def lint(rendered: Rendered, tree: Path, base: Path, initrd_base: Path, toolbox: Toolbox, progress: Progress) -> int:
    """Check the rendered tree in `tree`.

    :param base: the image's base layer: mkosi's cached tree with all packages and none of our files.
    :param initrd_base: the same of its initrd.
    :returns: how many files went through a tool.
    :raises FindingsError: with everything that the tools found.
    """
    stage = Stage(toolbox, (base, tree / "mkosi.extra"), (initrd_base, tree / "mkosi.initrd.extra"))
    findings: list[Finding] = []
    count = 0
    for kind, subjects in sorted(collect(rendered, tree).items()):
        with progress.step(f"Checking with {kind}") as step:
            try:
                found = importlib.import_module(f"image.validators.{kind}").check(stage, subjects)
            except ToolMissingError as error:
                message = "is not in the image, and nothing there can read such a file"
                found = [subject.finding(str(error), message) for subject in subjects]
            step.update(f"{len(subjects)} files, {len(found)} findings")
        findings += found
        count += len(subjects)
    if findings:
        raise FindingsError(findings)
    return count


def collect(rendered: Rendered, tree: Path) -> dict[Validator, list[Subject]]:
    """Return which files go through which validator."""
    overlays = {overlay.name: overlay for overlay in rendered.resolved.overlays}
    result: dict[Validator, list[Subject]] = {}
    part: Literal["root", "initrd"]
    for part, files, folder in (
        ("root", rendered.root.files, "mkosi.extra"),
        ("initrd", rendered.initrd.files, "mkosi.initrd.extra"),
    ):
        for path, file in sorted(files.items()):
            for kind in _kinds(f"/{path}", file, part, overlays.get(file.overlay)):
                subject = Subject(f"/{path}", file, part, tree / folder / path)
                result.setdefault(kind, []).append(subject)
    for index, (name, file) in enumerate(rendered.finalize):
        disk = tree / "finalize" / f"{index:02}-{name}.chroot"
        result.setdefault("bash", []).append(Subject(f"/{disk.name}", file, "root", disk))
    return result


def _kinds(path: str, file: File, part: str, overlay: Overlay | None) -> set[Validator]:
    kinds = {kind for pattern, kind in BY_PATH.items() if fnmatch.fnmatchcase(path, pattern)}
    if "apparmor" in kinds and path.split("/")[3] in _APPARMOR_PARTS:
        kinds.discard("apparmor")
    if "systemd" in kinds and not path.endswith(
        (".service", ".socket", ".target", ".timer", ".mount", ".path", ".conf")
    ):
        kinds.discard("systemd")
    first = file.content.split(b"\n", 1)[0]
    if first.startswith(b"#!"):
        if b"bash" in first or first.endswith(b"/sh"):
            kinds.add("bash")
        elif b"python" in first:
            kinds.add("python")
    if overlay is not None:
        place = path if part == "root" else f"initrd{path}"
        for kind, patterns in overlay.definition.validators.items():
            if any(fnmatch.fnmatchcase(place, pattern) for pattern in patterns):
                kinds.add(kind)
    return kinds


assert set(BY_PATH.values()) <= set(get_args(Validator))  # a name that is mistyped here
