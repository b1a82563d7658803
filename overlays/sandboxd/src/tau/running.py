"""An instance that runs and may ask: what root has written of it, by its number, for as long as it runs.

Fixed fields in a file of root's, written beside it and renamed, so that who reads it finds all of it, or nothing.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tau import link as links
from tau.folders import FOLDERS, is_below_home
from tau.helper import instance
from tau.names import is_id
from tau.permissions import PERMISSIONS, mask_of

#: Where root keeps them.
INSTANCES = Path("/run/tau/instances")
_MAGIC = b"TAURUN1\n"
#: Magic, uid, number, permissions, wanted, attached, link, id, signer.
_FIELDS = struct.Struct("!8sIIIIIH2x128s32s")
_MOST_BYTES = 16 * 1024
#: How many of its fields are the same as long as it runs, the first ones.
_NEVER_CHANGES = 6


class Running(NamedTuple):
    """An instance.

    :param signer: of the bundle that it runs, as the record says it.
    :param permissions: that this bundle declares, as a number.
    :param number: its own.
    :param link: to the network, or 0.
    :param wanted: the permissions of which something is to be attached, as a number; these two change while it runs.
    :param attached: those of which something is, as far as the last attempt has succeeded.
    :param folders: where the folders of its user's lie (:func:`tau.user_folders.of_user`).
    """

    uid: int
    app: str
    signer: bytes
    permissions: int
    number: int
    link: int = 0
    wanted: int = 0
    attached: int = 0
    folders: tuple[str, ...] = ("",) * len(FOLDERS)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same instance, whatever is attached to it by now."""
        return isinstance(other, Running) and self[:_NEVER_CHANGES] == other[:_NEVER_CHANGES]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:_NEVER_CHANGES])

    @property
    def name(self) -> str:
        """What it is called: its unit, without ``.service``."""
        return instance.name(self.uid, self.app, self.number)

    def pack(self) -> bytes:
        """Return it as the content of its file."""
        numbers = (self.uid, self.number, self.permissions, self.wanted, self.attached, self.link)
        words = b"".join(each.encode() + b"\0" for each in self.folders)
        return _FIELDS.pack(_MAGIC, *numbers, self.app.encode(), self.signer) + words


def unpack(data: bytes) -> Running | None:
    """Return the instance in a file's content, or None when it is none."""
    try:
        magic, uid, number, permissions, wanted, attached, link, app, signer = _FIELDS.unpack_from(data)
        name, words = app.rstrip(b"\0").decode("ascii"), data[_FIELDS.size :].decode()
    except (struct.error, UnicodeDecodeError):
        return None
    *folders, rest = words.split("\0")
    if magic != _MAGIC or not is_id(name) or rest or len(folders) != len(FOLDERS):
        return None
    if not all(not each or is_below_home(each) for each in folders):
        return None
    return Running(uid, name, signer, permissions, number, link, wanted, attached, tuple(folders))


def holds(app: Running, permission: str, *, allowed: bool) -> bool:
    """Whether something is attached by now, or nothing, as it is to be; of the network that is not known."""
    now, bit = read(app.number), mask_of([permission])
    said = (now.wanted & bit, now.attached & bit) if now and PERMISSIONS[permission].attached else ()
    return said == ((bit, bit) if allowed else (0, 0))


def path(number: int) -> Path:
    """Return where an instance's file is."""
    return INSTANCES / f"{number:08x}"


def read(number: int) -> Running | None:
    """Return the instance with a number, or None when none runs."""
    try:
        with path(number).open("rb") as file:
            found = unpack(file.read(_MOST_BYTES))
    except OSError:
        return None
    return found if found and found.number == number else None


def every() -> Iterator[Running]:
    """Return all that run."""
    for file in INSTANCES.iterdir() if INSTANCES.is_dir() else []:
        try:
            found = read(int(file.name, 16))
        except ValueError:
            continue  # one that is being written
        if found:
            yield found


def of_link(number: int) -> Running | None:
    """Return the instance that has a link, or None when it is nobody's."""
    whose = links.read(number)
    found = read(whose) if whose is not None else None
    return found if found and found.link == number else None
