"""Hold a connection open until it ends, and say how; then try another."""

import socket
import sys
import time


def connected(address: str, port: int) -> socket.socket | None:
    """Connect, or say why not."""
    try:
        return socket.create_connection((address, port), timeout=60)
    except OSError as error:
        print("refused:", error.strerror or error, flush=True)
        return None


held = connected(sys.argv[1], int(sys.argv[2]))
if held:
    print("holds", flush=True)
    held.settimeout(60)
    begun = time.monotonic()
    try:
        print("closed by the other side" if not held.recv(1) else "got something", flush=True)
    except OSError as error:
        print("ended:", error.strerror or error, flush=True)
    connected(sys.argv[1], int(sys.argv[2]))
