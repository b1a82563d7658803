"""The helper's processes: one for each connection, and an end when there are none."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.project import ROOT

SOURCE = ROOT / "overlays/sandboxd/src"
#: Serves connections: says which process it is, and ends with the connection; "die" has it fail.
SERVES = """
import os, socket, sys
from tau import listening
from tau.helper import server
server._MOST, server._IDLE = 2, 0.5
def serve(connection):
    connection.send(str(os.getpid()).encode())
    if connection.recv(16) == b"die":
        raise ValueError("as told")
    return 0
server.run(socket.socket(fileno=int(sys.argv[1])), serve)
print("idle", flush=True)
"""


def test_each_connection_has_a_process_of_its_own(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen()
        with subprocess.Popen(
            [sys.executable, "-c", SERVES, str(listening.fileno())],
            env={"PYTHONPATH": str(SOURCE)},
            pass_fds=(listening.fileno(),),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as served:
            ends = [_connect(path) for _ in range(3)]
            numbers = [end.recv(16) for end in ends]
            # The third is one too many.
            assert numbers[2] == b"" and len({*numbers, str(served.pid).encode()}) == 4
            ends[0].send(b"die")
            assert ends[0].recv(16) == b""
            # The one that has failed is no other's business, and its place is free.
            again = _connect(path)
            while not (number := again.recv(16)):
                again.close()
                again = _connect(path)
            assert number not in numbers
            for end in (*ends, again):
                end.close()
            told, complained = served.communicate(timeout=30)
    assert (told, served.returncode) == ("idle\n", 0) and complained.count("ValueError: as told") == 1


def _connect(path: str) -> socket.socket:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.settimeout(30)
    end.connect(path)
    return end
