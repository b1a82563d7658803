"""Say, as JSON, how each way to a folder's hidden files goes, and each way to leave something behind in it."""

import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

top = Path(sys.argv[1])
descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY)


def read_by_link() -> None:
    """A symbolic link of one's own, which leads to what may not be read."""
    (top / "link").symlink_to(".secret")
    (top / "link").read_text()


def connect(kind: int, name: str) -> None:
    """To a socket that lies there; that of datagrams by one end of a pair, which has been connected before."""
    one = socket.socketpair(socket.AF_UNIX, kind)[0] if kind == socket.SOCK_DGRAM else socket.socket(socket.AF_UNIX)
    one.connect(str(top / ".ssh" / name))


def open_up() -> None:
    """Give a hidden file rights for everybody: an access control list (linux/posix_acl_xattr.h)."""
    everybody = [(1, 6), (4, 4), (32, 4)]
    rights = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, right, 0xFFFFFFFF) for tag, right in everybody)
    os.setxattr(top / ".secret", "system.posix_acl_access", rights)


def run() -> None:
    """A program of the folder's, which may be read."""
    child = os.fork()
    if not child:
        try:
            os.execv(top / "program", ["program"])
        except OSError as error:
            os._exit(error.errno or 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))


def goes(call: Callable[[], object]) -> str:
    """How a call goes."""
    try:
        call()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "goes"


tried: dict[str, Callable[[], object]] = {
    "read": (top / "plain").read_text,
    "read in a folder": (top / "sub/plain").read_text,
    "write": lambda: (top / "new").write_text("new"),
    "rename": lambda: (top / "new").rename(top / "newer"),
    "remove": (top / "newer").unlink,
    "read hidden": (top / ".secret").read_text,
    "read hidden in a folder": (top / "sub/.secret").read_text,
    "read in a hidden folder": (top / ".ssh/id").read_text,
    "read hidden by the folder": lambda: os.open(".secret", os.O_RDONLY, dir_fd=descriptor),
    "read hidden by a way round": (top / "sub/../.secret").read_text,
    "read hidden by /proc": Path(f"/proc/self/fd/{descriptor}/.secret").read_text,
    "read hidden by a link": read_by_link,
    "read what opens the home": (top / "fscrypt_recovery_readme.txt").read_text,
    "rename what opens the home": lambda: (top / "fscrypt_recovery_readme.txt").rename(top / "readme"),
    "give rights on hidden": open_up,
    "connect to a socket": lambda: connect(socket.SOCK_STREAM, "stream"),
    "connect to a socket of datagrams": lambda: connect(socket.SOCK_DGRAM, "datagrams"),
    "link hidden": lambda: (top / "shown").hardlink_to(top / ".secret"),
    "rename hidden": lambda: (top / ".secret").rename(top / "shown by its name"),
    "rename a hidden folder": lambda: (top / ".ssh").rename(top / "shown, too"),
    "hide": lambda: (top / "sub/plain").rename(top / ".profile"),
    "write hidden": lambda: (top / ".bashrc").write_text("evil"),
    "make a hidden folder": (top / ".config").mkdir,
    "write a program that is found": lambda: (top / "bin/ls").write_text("evil"),
    "move a program where it is found": lambda: (top / "plain").rename(top / "bin/ls"),
    "take the place of programs": lambda: (top / "bin").rename(top / "old"),
    "run": run,
}
print(json.dumps({what: goes(call) for what, call in tried.items()}))
