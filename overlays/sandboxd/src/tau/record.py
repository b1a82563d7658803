"""What is known of an installed app: fixed fields in a file of root's, from which the helper derives the rest.

It has no parser: a record is of this very form, or none.
"""

import struct
from pathlib import Path
from typing import NamedTuple

from tau.names import is_id

_MAGIC = b"TAUAPP3\n"
#: Magic, uid, permissions, additions, four numbers of the version, how many of them are written, three of where what
#: lies, id, root hash, signer, length of the command.
_FIELDS = struct.Struct("!8sIII4II3Q128s32s32sI")
#: What a bundle's reader writes before a record that the manifest follows: how long it is.
LENGTH = struct.Struct("!I")
#: Longest command with all its arguments, in bytes.
MAX_COMMAND = 128 * 1024


class RecordError(Exception):
    """The file is no record."""


class Record(NamedTuple):
    """An app as one user has it.

    :param permissions: what it may ask for, as a number (:data:`tau.permissions.BITS`).
    :param additions: system calls that it asks for, as a number: bits by the order of
        :data:`tau.seccomp_groups.ADDITIONS`.
    :param root_hash: of the bundle's dm-verity, 32 bytes.
    :param signer: SHA-256 of the certificate, 32 bytes.
    :param command: the program inside of the bundle, and its first arguments.
    :param written: how many numbers of the version its manifest has; those behind are zeros.
    :param layout: where in the bundle the file system lies, how long it is, and where its hashes lie, in bytes.
    """

    uid: int
    app: str
    version: tuple[int, int, int, int]
    permissions: int
    additions: int
    root_hash: bytes
    signer: bytes
    command: tuple[str, ...]
    layout: tuple[int, int, int] = (0, 0, 0)
    written: int = 4

    @property
    def version_text(self) -> str:
        """The version as its manifest has it."""
        return ".".join(str(number) for number in self.version[: self.written])

    def pack(self) -> bytes:
        """Return the record as the content of its file."""
        command = b"\0".join(word.encode() for word in self.command)
        numbers = (self.uid, self.permissions, self.additions, *self.version, self.written, *self.layout)
        return _FIELDS.pack(_MAGIC, *numbers, self.app.encode(), self.root_hash, self.signer, len(command)) + command


def unpack(data: bytes) -> Record:
    """Return the record in a file's content.

    :raises RecordError: when it is none.
    """
    try:
        magic, uid, permissions, additions, *rest = _FIELDS.unpack_from(data)
        *numbers, app, root_hash, signer, length = rest
        words = data[_FIELDS.size :]
        name, command = app.rstrip(b"\0").decode("ascii"), tuple(words.decode().split("\0"))
    except (struct.error, UnicodeDecodeError) as error:
        raise RecordError(str(error)) from None
    if magic != _MAGIC or len(words) != length or length > MAX_COMMAND or not is_id(name) or not command[0]:
        raise RecordError("is of another form")
    first, second, third, fourth, written, offset, size, hashes = numbers
    version, layout = (first, second, third, fourth), (offset, size, hashes)
    if not 1 <= written <= len(version) or any(version[written:]):
        raise RecordError("has a version of another form")
    return Record(uid, name, version, permissions, additions, root_hash, signer, command, layout, written)


def read(path: Path) -> Record:
    """Return the record in a file of root's.

    :raises RecordError: when it is none, or not there.
    """
    try:
        with path.open("rb") as file:
            return unpack(file.read(_FIELDS.size + MAX_COMMAND + 1))
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from None
