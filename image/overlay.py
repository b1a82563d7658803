"""An overlay: one feature of the image, a folder with an overlay.yaml, files, and checks."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from image.findings import Finding, nearest, right_name
from image.models import (
    ImagePath,
    ImagePattern,
    KernelArgument,
    Line,
    Name,
    OptionName,
    PackageFolder,
    PackageName,
    Strict,
    Text,
    UnitName,
    UserName,
    is_image_path,
    load_model,
)
from image.options import Option
from image.source import Document

Architecture = Literal["x86_64", "aarch64"]
#: The tools that `lint` knows; each has a module of this name in image/validators/.
Validator = Literal[
    "apparmor",
    "bash",
    "dnscrypt",
    "kernel_modules",
    "nftables",
    "python",
    "repart",
    "sshd",
    "sudoers",
    "sysctl",
    "systemd",
    "sysusers",
    "tmpfiles",
]


class Units(Strict):
    """What to do with units of the image: enable and disable them by preset, or mask them."""

    enable: list[UnitName] = []
    """Units that are started as their [Install] says. Nothing is enabled that is not named here."""
    disable: list[UnitName] = []
    """Units that another overlay or a package enables, and that are not to be started."""
    mask: list[UnitName] = []
    """Units that nothing and nobody can start: a link to /dev/null takes their place."""


class ArchitectureParts(Strict):
    """What the overlay needs on one architecture only."""

    packages: list[PackageName] = []
    """Debian packages on this architecture."""
    kernel_command_line: list[KernelArgument] = []
    """Words of the kernel command line on this architecture."""


class FileAttributes(Strict):
    """Mode, owner and group of one file or directory of the overlay, stated here and never read off the checkout."""

    mode: Annotated[str, Field(pattern=r"^[0-7]{4}$")] | None = None
    """Four octal digits in quotes, like "0755"; default: 0644 for a file, 0755 for a folder."""
    owner: UserName = "root"
    """The user of the image that a file belongs to. A folder is root's (tmpfiles.d(5) makes others)."""
    group: UserName = "root"
    """The group of the image that a file belongs to."""


class State(Strict):
    """A path below /etc that the running system writes; it then hides what a newer image has there."""

    path: ImagePath
    """The path, below /etc."""
    reason: Line
    """Why it must be written at run time, and by what."""

    @field_validator("path")
    @classmethod
    def _below_etc(cls, path: str) -> str:
        if not path.startswith("/etc/"):
            raise ValueError("is not below /etc: only there does a path need declaring (/var and /home are writable)")
        return path


class Definition(Strict):
    """The content of an overlay.yaml."""

    title: Line
    """What the overlay is, in one line."""
    description: Text
    """What it does for whoever uses the system, and what it does not."""
    rows: list[Annotated[int, Field(ge=1, le=14)]] = []
    """Rows of the security model that it serves. A check says which it shows: @pytest.mark.row(NUMBER)."""
    packages: list[PackageName] = []
    """Debian packages of the image."""
    initrd_packages: list[PackageName] = []
    """Debian packages of its initrd."""
    architectures: dict[Architecture, ArchitectureParts] = {}
    """What is needed on one architecture only."""
    requires: list[Name] = []
    """Overlays that must be in the recipe as well; they are laid before this one."""
    conflicts: list[Name] = []
    """Overlays that can't be in one recipe with this one."""
    options: dict[OptionName, Option] = {}
    """What a recipe or --set may choose, by name. Templates see it as {{ options.NAME }}."""
    units: Units = Units()
    """What is done with units of the system."""
    user_units: Units = Units()
    """What is done with units of the users' own service managers."""
    kernel_command_line: list[KernelArgument] = []
    """Words of the kernel command line, one an item, like "quiet"."""
    files: dict[ImagePath, FileAttributes] = {}
    """Mode and owner of its files and folders, by their path in the image, where not the usual (0644, root)."""
    python: list[PackageFolder] = []
    """Python packages of the overlay's own, by their folder in it; they are laid below /usr/lib/tau/python."""
    overrides: list[ImagePath] = []
    """Paths that an earlier overlay writes and this one replaces; else two overlays that write one are an error."""
    links: dict[ImagePath, Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[!-~]+$")]] = {}
    """Symbolic links: the path in the image, and what it points to."""
    remove: list[ImagePath] = []
    """Paths that packages bring and that are removed from the finished image."""
    initrd_remove: list[ImagePattern] = []
    """Paths that packages bring to the initrd and that it does without; a * stands for any characters of a name."""
    state: list[State] = []
    """Paths below /etc that the running system writes; a check fails on any other."""
    validators: dict[Validator, list[Line]] = {}
    """Files for tools of `./inv lint` that it does not know by their path: patterns by tool; initrd/… in the initrd."""


#: The folders of an overlay whose files are laid over the root, over the initrd, and over both.
Part = Literal["root", "both", "initrd"]
#: All that is read of its folder, but for checks.
_READ = {"overlay.yaml", "finalize.chroot", "finalize.chroot.j2", *get_args(Part)}


@dataclass(frozen=True)
class Overlay:
    """An overlay as found on disk.

    :param definition: without what the findings are about.
    :param findings: what is wrong in its overlay.yaml.
    :param options_known: whether `definition` has its options as they were meant.
    """

    name: str
    folder: Path
    definition: Definition
    document: Document
    findings: tuple[Finding, ...]
    options_known: bool

    def packages_for(self, arch: Architecture) -> list[str]:
        """The packages that the overlay needs on `arch`."""
        return self.definition.packages + self._parts(arch).packages

    def kernel_command_line_for(self, arch: Architecture) -> list[str]:
        """The words that the overlay adds to the kernel command line on `arch`."""
        return self.definition.kernel_command_line + self._parts(arch).kernel_command_line

    def _parts(self, arch: Architecture) -> ArchitectureParts:
        return self.definition.architectures.get(arch, ArchitectureParts())

    def files_below(self, part: Part, findings: list[Finding]) -> list[Path]:
        """Every file of a part, sorted, as a path relative to it.

        :param findings: gets one for anything that is neither a regular file nor a folder, or has a name that is no
            path of an image. A symbolic link in a checkout could point anywhere; links are stated in overlay.yaml.
            And for a folder that can't be read: an image without its files would be another.
        """
        return self._files(self.folder / part, findings)

    def package_files(self, package: str, findings: list[Finding]) -> list[Path]:
        """Every file of one of its Python packages, as :meth:`files_below`, without what Python writes beside them.

        :param package: its folder, relative to the overlay's.
        """
        base = self.folder / package
        if not (base / "__init__.py").is_file():
            key = ("python", self.definition.python.index(package))
            findings.append(self.document.finding(key, f"{base} is not a Python package", expected="an __init__.py"))
            return []
        return [path for path in self._files(base, findings) if "__pycache__" not in path.parts]

    @staticmethod
    def _files(base: Path, findings: list[Finding]) -> list[Path]:
        found = []
        for path in _everything_below(base, findings):
            relative = path.relative_to(base)
            if path.is_symlink():
                message = "is a symbolic link; state it under links: in overlay.yaml"
                findings.append(Finding(message, file=path))
            elif path.is_file():
                found.append(relative)
                if not is_image_path(f"/{relative}"):
                    findings.append(Finding("has a name that is no path of an image", file=path))
            elif not path.is_dir():
                findings.append(Finding("is neither a file nor a folder", file=path))
        return found


def _everything_below(base: Path, findings: list[Finding]) -> list[Path]:
    def note(error: OSError) -> None:
        if error.filename != str(base) or not isinstance(error, FileNotFoundError):
            findings.append(_unreadable(Path(error.filename), error))

    found = [Path(folder, name) for folder, *names in os.walk(base, onerror=note) for name in [*names[0], *names[1]]]
    return sorted(found)


def _unreadable(path: Path, error: OSError) -> Finding:
    return Finding(f"can't be read: {error.strerror}", file=path)


def overlay_folders(root: Path, overlay_path: Sequence[str]) -> list[Path]:
    """Return the folders in which overlays are looked for, a person's own first.

    :param root: of the checkout.
    """
    return [*(Path(path).resolve() for path in overlay_path), root / "overlays"]


def find_overlays(search_path: Sequence[Path], findings: list[Finding]) -> dict[str, Path]:
    """Return the folder of every overlay below the folders of `search_path`, by name; an earlier folder wins.

    :param findings: gets one for each of these that is no folder or can't be read.
    """
    found: dict[str, Path] = {}
    for base in search_path:
        if (base / "overlay.yaml").is_file():
            finding = Finding("is an overlay", file=base, expected=f"the folder that holds it, {base.parent}")
            findings.append(finding)
            continue
        if not base.is_dir():
            findings.append(Finding("is not a folder of overlays", file=base))
            continue
        try:
            folders = sorted(base.iterdir())
        except OSError as error:
            findings.append(_unreadable(base, error))
            continue
        for folder in folders:
            if _holds_overlay(folder):
                found.setdefault(folder.name, folder)
    return found


def _holds_overlay(folder: Path) -> bool:
    """Whether it is an overlay. One that can't be looked into is, too: it is refused when a recipe names it."""
    try:
        return (folder / "overlay.yaml").is_file()
    except PermissionError:
        return True


def no_overlay(name: str, found: Mapping[str, Path], search_path: Sequence[Path]) -> Finding:
    """Return the finding, not placed yet, for a name that none of the overlays `found` has."""
    expected, close = right_name(name, found)
    hint = f"looked in {', '.join(str(folder) for folder in search_path)}; --overlay-path DIR names another"
    return Finding(f"no overlay {name!r}", expected=expected, nearest=close, hint=hint)


def load_overlay(name: str, folder: Path) -> Overlay:
    """Read the overlay `name` in its folder, as far as it can be read."""
    loaded = load_model(folder / "overlay.yaml", Definition)
    known = "options" not in loaded.doubtful
    return Overlay(name, folder, loaded.model, loaded.document, (*loaded.findings, *_misnamed(folder)), known)


def _misnamed(folder: Path) -> list[Finding]:
    """What nothing would read because it is not quite called what it was meant for: an image would lack it."""
    try:
        present = {path.name for path in folder.iterdir()}
    except OSError:
        return []  # told where its files are looked for
    others = [name for name in sorted(present - _READ) if not name.startswith(".") and not name.endswith("~")]
    near = {name: nearest(name.lower(), _READ - present) for name in others}
    return [Finding("is not read", folder / name, nearest=close) for name, close in near.items() if close]
