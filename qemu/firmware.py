"""UEFI firmware of the tools tree: read-only code, and a template of the variable store."""

from dataclasses import dataclass
from pathlib import Path

from qemu.errors import ToolMissingError
from qemu.tools import Tools


@dataclass(frozen=True)
class Firmware:
    """Paths as programs of the tools tree see them.

    Attributes:
        code: the firmware itself, mapped read-only.
        variables: template of the variable store; each machine gets a qcow2 copy of its own, since savevm needs
            every writable drive to be able to hold snapshots.
    """

    code: str
    variables: str


# Without Secure Boot: the images are not signed yet, and an enrolled variant would refuse them.
_FILES = {
    "x86_64": (Firmware("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"), "ovmf"),
    "aarch64": (
        Firmware("/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
        "qemu-efi-aarch64",
    ),
}


def find(tools: Tools, arch: str) -> Firmware:
    """The firmware for an architecture ("x86_64" or "aarch64").

    Raises:
        ToolMissingError: unknown architecture, or the tools tree lacks the package.
    """
    if arch not in _FILES:
        raise ToolMissingError(f"no firmware is known for the architecture {arch!r} (known: {', '.join(_FILES)})")
    firmware, package = _FILES[arch]
    for path in (firmware.code, firmware.variables):
        if not _in_tree(tools.tree, path).exists():
            raise ToolMissingError(f"{path} is not in the tools tree {tools.tree}: add the package {package} to it")
    return firmware


def _in_tree(tree: Path, path: str) -> Path:
    return tree / path.removeprefix("/")
