"""What is known of a bundle whose signature was checked, in fixed fields: the helper, who asks, has no parser."""

import struct
from typing import NamedTuple

_FIELDS = struct.Struct("!32s32sQQQ")
SIZE = _FIELDS.size


class Signed(NamedTuple):
    """A bundle whose signature was checked.

    :param root_hash: of dm-verity, 32 bytes: what was signed, and what the kernel is to insist on.
    :param signer: SHA-256 of the certificate, 32 bytes.
    :param layout: where the file system lies, how long it is, and where its hashes lie, in bytes. It is not signed:
        what lies anywhere else does not have this root hash.
    """

    root_hash: bytes
    signer: bytes
    layout: tuple[int, int, int]

    def pack(self) -> bytes:
        """Return it in fixed fields."""
        return _FIELDS.pack(self.root_hash, self.signer, *self.layout)


def unpack(data: bytes) -> Signed:
    """Return what :meth:`Signed.pack` packed.

    :raises struct.error: when it is of another length.
    """
    root_hash, signer, offset, size, hashes = _FIELDS.unpack(data)
    return Signed(root_hash, signer, (offset, size, hashes))
