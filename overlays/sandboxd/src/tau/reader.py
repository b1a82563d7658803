"""Read a bundle's manifest where the bundle is mounted, for the helper: with no privilege, in a unit of its own.

What the bundle says may be anything, and so may what comes out of here: the helper believes it as much as it would
believe the bundle. The signer is not asked for here, and stays what the signature said.
"""

import sys
from pathlib import Path

from tau.manifest import FILE_NAME, Manifest, check, read
from tau.permissions import mask_of
from tau.record import LENGTH, Record
from tau.seccomp_groups import ADDITIONS


def record_of(manifest: Manifest) -> Record:
    """Return what a manifest puts into a record; the rest is for the helper to say."""
    first, second, third, fourth = manifest.version_key
    additions = sum(1 << list(ADDITIONS).index(each.allow) for each in manifest.seccomp)
    version = (first, second, third, fourth)
    permissions = mask_of(manifest.permissions)
    written = len(manifest.version.split("."))
    return Record(0, manifest.id, version, permissions, additions, b"", b"", manifest.command, written=written)


def main() -> int:
    """Write the record and the manifest to standard output, or the first finding."""
    try:
        data = read(Path("/app", FILE_NAME))
    except OSError as error:
        print(f"{FILE_NAME}: can't be read: {error.strerror}", flush=True)
        return 1
    checked = check(data)
    if checked.manifest is None:
        print(checked.findings[0].text(FILE_NAME), flush=True)
        return 1
    record = record_of(checked.manifest).pack()
    sys.stdout.buffer.write(LENGTH.pack(len(record)) + record + data)
    return 0
