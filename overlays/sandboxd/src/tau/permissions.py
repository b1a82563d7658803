"""The one table of permissions: what an app may ask for, what it becomes, and how it is taken away again.

The manifest's checker, the prompts, the helper and the documentation are all made from it.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from tau.folders import FOLDERS, INSIDE, PICKED

#: What happens to what is open already when a permission is revoked while the app runs. New connections and opens
#: are refused at once in each case. ``ends``: open connections are cut. ``stays``: what is open stays open until the
#: app ends, which the user is told.
Revocation = Literal["ends", "stays"]


class Nodes(NamedTuple):
    """Nodes of devices.

    :param subsystem: that has them, in /sys/class.
    :param below: of /dev, where they lie.
    :param pattern: of their names.
    :param path: the same as AppArmor writes it (apparmor.d(5)).
    :param majors: what DeviceAllow= of systemd.resource-control(5) calls them.
    """

    subsystem: str
    below: str
    pattern: str
    path: str
    majors: str


class Permission(NamedTuple):
    """Something that an app may ask for.

    :param name: as a manifest writes it.
    :param plain: what a prompt calls it, after "wants to": no word that only a programmer knows.
    :param becomes: what it is made of on the system, for the documentation.
    :param revocation: what becomes of what is open.
    :param families: the address families that an app which declares it may make sockets of (address_families(7)).
    :param zone: of the networks, which one it is about: network.nft has this number.
    :param folders: of its user's, which ones it is about (:mod:`tau.folders`).
    :param writes: whether it may change what is in them.
    :param nodes: of /dev, which ones it is about.
    """

    name: str
    plain: str
    becomes: str
    revocation: Revocation
    families: tuple[str, ...] = ()
    zone: int = 0
    folders: tuple[str, ...] = ()
    writes: bool = False
    nodes: Nodes | None = None

    @property
    def attached(self) -> bool:
        """Whether it is something in the app's file system, which no program can be held at until somebody answers."""
        return bool(self.folders) or self.nodes is not None


_INTERNET = ("AF_INET", "AF_INET6", "AF_NETLINK")

_PLACE_WORDS = {
    "home": "your home folder, without hidden files",
    "documents": "your Documents folder",
    "downloads": "your Downloads folder",
    "picked": "a folder that you choose",
}


def _filesystem() -> list[Permission]:
    found = []
    for mode, verb in (("ro", "read the files in"), ("rw", "read, change and delete the files in")):
        attached, writes = f"attached{' read-only' if mode == 'ro' else ''}", mode == "rw"
        found.append(
            Permission(
                f"filesystem:{mode}",
                f"{verb} your Documents, Downloads, Music, Pictures and Videos folders",
                f"{', '.join(FOLDERS)} in {INSIDE}, {attached}, without hidden files",
                "stays",
                folders=tuple(FOLDERS),
                writes=writes,
            )
        )
        found += [
            Permission(
                f"filesystem:{mode}:{place}",
                f"{verb} {words}",
                f"{INSIDE}/{place}, {attached}" + ("" if place == PICKED else ", without hidden files"),
                "stays",
                folders=(place,),
                writes=writes,
            )
            for place, words in _PLACE_WORDS.items()
        ]
    return found


#: Every permission that there is, by name, in the order in which a user sees them. Each begins as "ask".
PERMISSIONS: dict[str, Permission] = {
    permission.name: permission
    for permission in (
        Permission(
            "network",
            "use the internet",
            "a virtual Ethernet link into the app's network namespace, addresses outside of the local networks",
            "ends",
            _INTERNET,
            1,
        ),
        Permission(
            "lan",
            "reach devices on your local network",
            "the same link, addresses of the local networks (RFC 1918, RFC 3927, RFC 6598)",
            "ends",
            _INTERNET,
            2,
        ),
        Permission(
            "camera",
            "use the camera",
            "the nodes /dev/video* that are there when the app starts, attached while they are allowed",
            "stays",
            nodes=Nodes("video4linux", "", r"video[0-9]+", "video[0-9]*", "char-video4linux"),
        ),
        Permission(
            "microphone",
            "use the microphone",
            "the capture and control nodes of /dev/snd, the same way",
            "stays",
            nodes=Nodes(
                "sound",
                "snd/",
                r"pcmC[0-9]+D[0-9]+c|controlC[0-9]+",
                "{pcmC[0-9]*D[0-9]*c,controlC[0-9]*}",
                "char-alsa",
            ),
        ),
        *_filesystem(),
    )
}

#: What manifests of other systems ask for and this one does not have yet.
UNAVAILABLE = frozenset(
    [
        "audio",
        "bluetooth",
        "clipboard",
        "contacts",
        "display",
        "gpu",
        "keyboard",
        "location",
        "notifications",
        "printing",
        "screenshot",
        "session-bus",
        "smartcard",
        "system-bus",
        "tor",
        "usb",
        "vpn",
        "wayland",
        "x11",
    ]
)

#: A bit for each permission, by name, where a set of them is one number. Numbers are kept in records: new ones go to
#: the end.
BITS: dict[str, int] = {name: 1 << index for index, name in enumerate(PERMISSIONS)}


def mask_of(names: Iterable[str]) -> int:
    """Return a set of permissions as a number."""
    return sum(BITS[name] for name in set(names))


def names_of(mask: int) -> tuple[str, ...]:
    """Return the permissions of a number, in the table's order; bits that mean nothing are left out."""
    return tuple(name for name, bit in BITS.items() if mask & bit)


def wider_than(name: str) -> str:
    """Return the permission for several folders when `name` would be that for one of them alone, which there is not."""
    start, _, place = name.rpartition(":")
    return start if name not in PERMISSIONS and start in PERMISSIONS and place in PERMISSIONS[start].folders else ""


def families_of(mask: int) -> list[str]:
    """Return the address families that an app with these permissions may make sockets of, by name."""
    return sorted({family for name in names_of(mask) for family in PERMISSIONS[name].families})


def attached_of(mask: int) -> tuple[str, ...]:
    """Return those permissions of a number that are something in the app's file system."""
    return tuple(name for name in names_of(mask) if PERMISSIONS[name].attached)
