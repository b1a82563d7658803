"""The manifest of an image: mkosi's list of packages, with the hash of each, and those of the initrd."""

import json
import re
from pathlib import Path
from typing import Any

from image.indexes import package_hashes
from image.progress import Progress


def write_manifest(manifest: Path, initrd: Path, lists: Path, progress: Progress) -> None:
    """Complete the manifest that mkosi wrote, in its place.

    Each package gets the SHA-256 of its .deb, or null where no signed index lists it, which is said. The packages of
    the initrd, which is in the image too, are added as ``initrd_packages``.

    :param initrd: the base layer of the initrd, with its package database.
    :param lists: apt's lists from which both were installed.
    """
    data: dict[str, Any] = json.loads(manifest.read_text())
    data["initrd_packages"] = _installed(initrd)
    packages = [*data["packages"], *data["initrd_packages"]]
    keys = [(each["name"], each["version"], each["architecture"]) for each in packages]
    hashes = package_hashes(lists, keys)
    for each, key in zip(packages, keys, strict=True):
        each["sha256"] = hashes.get(key)
    manifest.write_text(json.dumps(data, indent=2) + "\n")
    unknown = sorted({each["name"] for each in packages if each["sha256"] is None})
    if unknown:
        progress.note(f"note: no index of the archive lists {', '.join(unknown)}: the manifest has no hash of them")


def _installed(root: Path) -> list[dict[str, Any]]:
    """The packages of a root by its dpkg database, as mkosi lists them: `size` is in bytes."""
    found = []
    for stanza in (root / "var/lib/dpkg/status").read_text().split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.+)$", stanza, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            found.append(
                {
                    "type": "deb",
                    "name": fields["Package"],
                    "version": fields["Version"],
                    "architecture": fields["Architecture"],
                    "size": int(fields.get("Installed-Size", 0)) * 1024,
                }
            )
    return sorted(found, key=lambda each: each["name"])
