"""Say, as JSON, how connecting to each socket goes that standard input names: its type's number, and its name."""

import json
import os
import socket
import sys


def knock(kind: int, name: str) -> str:
    """How a connection goes; a name that begins with @ is no path (unix(7), abstract)."""
    try:
        with socket.socket(socket.AF_UNIX, kind) as one:
            one.settimeout(5)
            one.connect(f"\0{name[1:]}" if name.startswith("@") else name)
    except OSError as error:
        return os.strerror(error.errno) if error.errno else "nobody answers"
    return "goes"


lines = [line.rstrip("\n").partition(" ") for line in sys.stdin]
print(json.dumps({name: knock(int(kind), name) for kind, _, name in lines}))
