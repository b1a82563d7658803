"""Be what others would like to reach, by everything that has a name or a number, until somebody ends it.

The argument is part of each name. The first line says where in memory its secret lies.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import zlib

LIBC = ctypes.CDLL(None, use_errno=True)
name = f"tau-attack-{sys.argv[1]}"
key = ctypes.c_int(zlib.crc32(name.encode()) & 0x7FFFFFFF)
CREATE, MODE = 0o1000, 0o666

secret = ctypes.create_string_buffer(b"secret of " + name.encode())
kept = []
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for address in (f"\0{name}-{kind:d}", f"/tmp/{name}-{kind:d}"):
        kept.append(socket.socket(socket.AF_UNIX, kind))
        kept[-1].bind(address)
        if kind == socket.SOCK_STREAM:
            kept[-1].listen()
with contextlib.suppress(PermissionError), open(f"/dev/shm/{name}", "w") as file:
    file.write("secret")
# System V's and POSIX' messages, semaphores and memory: of these an app may have some of its own.
LIBC.shmget(key, ctypes.c_size_t(4096), CREATE | MODE)
LIBC.semget(key, 1, CREATE | MODE)
LIBC.msgget(key, CREATE | MODE)
LIBC.mq_open(f"/{name}".encode(), os.O_CREAT | os.O_RDWR, MODE, None)
print(ctypes.addressof(secret), flush=True)
signal.pause()
