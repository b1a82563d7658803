"""An app's link to the network, by its number: A.B is part of its names and of its address (`app-link` makes it).

Whose it is, a symbolic link of root's says, to the instance's file (:mod:`tau.running`).
"""

import re
from pathlib import Path

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
_TARGET = re.compile(r"\.\./instances/([0-9a-f]{8})")


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


def target(instance: int) -> str:
    """Return where the symbolic link of an instance's leads."""
    return f"../instances/{instance:08x}"


def read(link: int) -> int | None:
    """Return the number of the instance that a link was given to, or None when it is nobody's."""
    try:
        match = _TARGET.fullmatch(str((LINKS / text(link)).readlink()))
    except OSError:
        return None
    return int(match[1], 16) if match else None


def every() -> dict[int, int]:
    """Return the instance that each link was given to, by the link's number."""
    found = {}
    for path in LINKS.iterdir() if LINKS.is_dir() else []:
        link = of_text(path.name)
        whose = read(link) if link is not None else None
        if link is not None and whose is not None:
            found[link] = whose
    return found
