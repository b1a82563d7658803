"""A guest's end without a guest: a pseudo-terminal or a pipe served on a Unix socket, as QEMU serves a port."""

import contextlib
import os
import pty
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

GETTY = """
import getpass, os, signal, subprocess, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started with: nohup, a shell's "&"
os.setsid(); os.close(os.open(os.ttyname(0), os.O_RDWR))
refused = False
while True:
    try:
        name = input("taupc login: ")
        if not name and not refused:
            continue  # agetty(8) asks again; login(1), which asks after a refusal, goes on
        if getpass.getpass("Password: ", sys.stdout) != "correct horse" or name != "tester":
            refused = True
            print("\\nLogin incorrect"); continue
    except (EOFError, KeyboardInterrupt):
        refused = False
        continue
    refused = False
    print("\\x1b]3008;start=x\\x1b\\\\\\x1b[?2004hLinux taupc 6.12\\r\\n\\x1b[1mwelcome\\x1b[0m")
    prompt = "\\x1b[?2004h\\\\u@taupc:~\\\\$ "
    subprocess.call(["bash", "--norc", "--noprofile", "-i"], env={**os.environ, "PS1": prompt, "TERM": "vt220"})
"""


class Line:
    """A line whose one end is a Unix socket: clients may come and go, one at a time. The other end is `slave`."""

    def __init__(self, path: Path, *, terminal: bool) -> None:
        self.path = path
        self.master, self.slave = pty.openpty() if terminal else [end.detach() for end in socket.socketpair()]
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._client: socket.socket | None = None
        #: What the next client finds on the line, as after a restored snapshot.
        self.stale = b""
        self.children: list[subprocess.Popen[bytes]] = []
        self._closed = False
        self._threads = [threading.Thread(target=way, daemon=True) for way in (self._from_guest, self._to_guest)]
        for thread in self._threads:
            thread.start()

    def inject(self, data: bytes) -> None:
        """Send something to the host that the guest did not say now."""
        deadline = time.monotonic() + 5
        while self._client is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self._client is not None
        self._client.sendall(data)

    def getty(self) -> None:
        """Run a login prompt on it."""
        end = self.slave
        self.children.append(subprocess.Popen([sys.executable, "-c", GETTY], stdin=end, stdout=end, stderr=end))

    def _from_guest(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closed:
                if not select.select([self.master], [], [], 0.1)[0]:
                    continue
                block = os.read(self.master, 65536)
                if self._client is not None:
                    with contextlib.suppress(OSError):
                        self._client.sendall(block)

    def _to_guest(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._client, _ = self._server.accept()
                self._client.sendall(self.stale)
                self.stale = b""
                with contextlib.suppress(OSError):
                    while block := self._client.recv(65536):
                        os.write(self.master, block)

    def close(self) -> None:
        for child in self.children:
            child.kill()
            child.wait()
        self._closed = True
        for end in filter(None, (self._server, self._client)):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:  # none may read on: the numbers of the descriptors are used again
            thread.join()
        self._server.close()
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)
