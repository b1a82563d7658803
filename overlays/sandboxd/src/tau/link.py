"""An app's link to the network, by its number: A.B is part of its names and of its address (`app-link` makes it).

Whose it is, and what that app declares, a symbolic link of root's says: UID/ID/SIGNER/PERMISSIONS/INSTANCE. It says
so for as long as the instance runs, whatever becomes of the app meanwhile.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tau.helper import instance
from tau.names import is_id

#: Where root keeps whose each link is.
LINKS = Path("/run/tau/links")
#: What is out here, whatever the link: where apps ask for names.
HOST = "198.18.0.1"
#: Numbers that a link can have.
FIRST, LAST = 1, 0xFFFE
#: The networks that are no part of the Internet (RFC 6890), as network.nft has them.
LOCAL = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8"),
    *("169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"),
)
_TARGET = re.compile(r"([1-9][0-9]{0,9})/([a-z0-9._]+)/([0-9a-f]{64})/([0-9a-f]{8})/([0-9a-f]{8})")


@dataclass(frozen=True)
class Linked:
    """The instance that a link is of.

    :param signer: of the bundle that it runs, as the record says it.
    :param permissions: that this bundle declares, as a number.
    :param number: the instance's.
    """

    uid: int
    app: str
    signer: bytes
    permissions: int
    number: int

    @property
    def target(self) -> str:
        """Where the symbolic link leads."""
        return f"{self.uid}/{self.app}/{self.signer.hex()}/{self.permissions:08x}/{self.number:08x}"

    @property
    def name(self) -> str:
        """What the instance is called: its unit, without ``.service``."""
        return instance.name(self.uid, self.app, self.number)


def text(link: int) -> str:
    """Return a number as it is written in names: A.B."""
    return f"{link >> 8}.{link & 0xFF}"


def of_text(written: str) -> int | None:
    """Return the number that is written as A.B, or None when that is none."""
    first, _, second = written.partition(".")
    return int(first) << 8 | int(second) if first.isdecimal() and second.isdecimal() else None


def device(link: int) -> str:
    """Return the name of the device out here."""
    return f"tau-{text(link)}"


def of_address(address: str) -> int | None:
    """Return the link whose app has an address, or None when it is no app's."""
    return of_text(address.removeprefix("198.19.")) if address.startswith("198.19.") else None


def read(link: int, folder: Path = LINKS) -> Linked | None:
    """Return whose a link is, or None when it is nobody's."""
    try:
        match = _TARGET.fullmatch(str((folder / text(link)).readlink()))
    except OSError:
        return None
    if not match or not is_id(match[2]):
        return None
    return Linked(int(match[1]), match[2], bytes.fromhex(match[3]), int(match[4], 16), int(match[5], 16))


def every(folder: Path = LINKS) -> dict[int, Linked]:
    """Return whose each link is that there is, by number."""
    found = {}
    for path in folder.iterdir() if folder.is_dir() else []:
        link = of_text(path.name)
        whose = read(link, folder) if link is not None else None
        if link is not None and whose:
            found[link] = whose
    return found
