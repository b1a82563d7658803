"""Read a bundle's manifest where the bundle is mounted, for the helper: with no privilege, in a unit of its own.

What the bundle says may be anything, and so may what comes out of here: the helper believes it as much as it would
believe the bundle. The signer is not asked for here, and stays what the signature said.
"""

import struct
import sys
from pathlib import Path

from tau.manifest import FILE_NAME, Manifest, check
from tau.permissions import mask_of
from tau.record import Record
from tau.seccomp_groups import ADDITIONS
from tau.strict_json import MAX_BYTES

#: How long the record is that the manifest follows.
HEADER = struct.Struct("!I")


def record_of(manifest: Manifest, uid: int = 0, root_hash: bytes = b"", signer: bytes = b"") -> Record:
    """Return what a manifest puts into a record."""
    first, second, third, fourth = manifest.version_key
    additions = sum(1 << list(ADDITIONS).index(each.allow) for each in manifest.seccomp)
    version = (first, second, third, fourth)
    permissions = mask_of(manifest.permissions)
    return Record(uid, manifest.id, version, permissions, additions, root_hash, signer, manifest.command)


def main() -> int:
    """Write the record and the manifest to standard output, or the first finding."""
    try:
        with Path("/app", FILE_NAME).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        print(f"{FILE_NAME}: can't be read: {error.strerror}", flush=True)
        return 1
    checked = check(data)
    if checked.manifest is None:
        print(checked.findings[0].text(FILE_NAME), flush=True)
        return 1
    record = record_of(checked.manifest).pack()
    sys.stdout.buffer.write(HEADER.pack(len(record)) + record + data)
    return 0
