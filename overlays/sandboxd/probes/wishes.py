"""Make one ticket after another, and hand it to whoever has sandboxd's name: METHOD=WISH, each an argument.

What the method says is printed. The ticket of ``GONE=WISH`` is made by a process that has ended by then.
"""

import os
import socket
import sys

sys.path.insert(0, "/usr/lib/tau/python")

from tau import ticket
from tau.bus import Bus, BusError
from tau.folders import FOLDERS
from tau.launch import Launch
from tau.ticket import Wish

APP = "org.example.app"
LOOK = ("sh", "-c", "ls /run/tau/files /run/tau/files/*; ls /dev/video0; exit 3")


def made(wish: Wish) -> tuple[socket.socket, socket.socket, int]:
    """A ticket, what is to be kept of it, and where what a program says can be read."""
    reading, writing = os.pipe()
    nothing, other = os.pipe()
    os.close(other)
    files = {Wish.RUN: (nothing, writing, writing), Wish.INSTALL: (os.open("/var/tmp/app.raw", os.O_RDONLY),)}
    folders = tuple(usual for _, usual in FOLDERS.values())
    details = {Wish.RUN: Launch(LOOK, folders=folders).pack(), Wish.PICK: b"Work"}.get(wish, b"")
    given, kept = ticket.write(wish, files.get(wish, ()), "" if wish == Wish.INSTALL else APP, details)
    os.close(writing)
    return given, kept, reading


def call(method: str, wish: Wish) -> None:
    """Hand a ticket over."""
    given, kept, output = made(wish)
    try:
        said = Bus().call(method, "h", given.fileno()).text()
    except BusError as error:
        said = error.message
    print(f"{method} {wish.name}: {said}", flush=True)
    if "DONE" in said and wish == Wish.RUN:
        print(f"ended with {kept.recv(16).decode()}", flush=True)
        while text := os.read(output, 65536):
            print(text.decode(), end="", flush=True)


for word in sys.argv[1:]:
    method, _, name = word.partition("=")
    if method != "GONE":
        call(method, Wish[name])
        continue
    child = os.fork()
    if not child:
        call("KEEP", Wish[name])
        os._exit(0)
    os.waitpid(child, 0)
    call("KEPT_START", Wish.REMOVE)
