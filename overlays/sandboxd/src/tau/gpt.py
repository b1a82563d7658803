"""A GUID partition table, as far as a bundle has one: where its partitions lie, by their type (UEFI 2.10, 5.3).

It is read without privilege: what is in the image may be anything.
"""

import os
import struct
import uuid
from dataclasses import dataclass

#: The type of the partition of a bundle that holds the signer's certificate (PEM).
CERTIFICATE_PARTITION = uuid.UUID("6f1b3a4e-52c8-4d0b-9a57-1d6c8e0f7b21")
_SECTOR = 512
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_MAX_ENTRIES = 128


class TableError(Exception):
    """The image has no table that can be read."""


@dataclass(frozen=True)
class Partition:
    """Where a partition lies, in bytes."""

    kind: uuid.UUID
    offset: int
    size: int


def partitions(image: int) -> list[Partition]:
    """Return the partitions of an image, in the table's order.

    :param image: a file descriptor.
    :raises TableError: when there is no table, or one that leads out of the file.
    """
    length = os.fstat(image).st_size
    header = os.pread(image, _HEADER.size, _SECTOR)
    if len(header) < _HEADER.size:
        raise TableError("is too short for a disk image")
    signature, *_, first, count, size, _ = _HEADER.unpack(header)
    if signature != b"EFI PART":
        raise TableError("is not a disk image with a partition table")
    if count > _MAX_ENTRIES or size != _ENTRY.size or first * _SECTOR > length:
        raise TableError("has a partition table of another form")
    table = os.pread(image, count * size, first * _SECTOR)
    found = []
    for kind, _, begin, end, _, _ in _ENTRY.iter_unpack(table[: len(table) // size * size]):
        if kind == bytes(16):
            continue
        if not 0 < begin <= end < length // _SECTOR:
            raise TableError("has a partition that lies outside of it")
        found.append(Partition(uuid.UUID(bytes_le=kind), begin * _SECTOR, (end - begin + 1) * _SECTOR))
    return found


def read(image: int, partition: Partition, most: int) -> bytes:
    """Return a small partition's content, without the zeros or newlines that fill it up.

    :param most: bytes that it may have.
    :raises TableError: when it is larger, or the image ends before it.
    """
    if partition.size > most:
        raise TableError("has a partition that is larger than such a one can be")
    content = os.pread(image, partition.size, partition.offset)
    if len(content) != partition.size:
        raise TableError("ends in the middle of a partition")
    return content.rstrip(b"\0\n")
