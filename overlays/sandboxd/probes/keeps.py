"""Keep a file and its folder open until a line is read; then say, as JSON, what of it still goes."""

import fcntl
import json
import os
import stat
import sys
from collections.abc import Callable

#: linux/videodev2.h, VIDIOC_QUERYCAP
QUERYCAP = 0x80685600
path = sys.argv[1]
folder, _, name = path.rpartition("/")
directory, held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY), os.open(path, os.O_RDONLY)
known = os.open(path, os.O_PATH)
os.chdir(folder)


def use() -> None:
    """Use what is open."""
    if stat.S_ISCHR(os.fstat(held).st_mode):
        fcntl.ioctl(held, QUERYCAP, bytearray(104))
    else:
        os.pread(held, 1, 0)


def goes(call: Callable[[], object]) -> str:
    """How a call goes."""
    try:
        call()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "goes"


print("holds", flush=True)
sys.stdin.readline()
tried = {
    "by its path": lambda: os.open(path, os.O_RDONLY),
    "by its folder": lambda: os.open(name, os.O_RDONLY, dir_fd=directory),
    "from where it is": lambda: os.open(name, os.O_RDONLY),
    "opened anew": lambda: os.open(f"/proc/self/fd/{held}", os.O_RDONLY),
    "opened by what only names it": lambda: os.open(f"/proc/self/fd/{known}", os.O_RDONLY),
    "another in its folder": lambda: os.open("other", os.O_RDONLY, dir_fd=directory),
    "what is open": use,
}
print(json.dumps({what: goes(call) for what, call in tried.items()}), flush=True)
sys.stdin.readline()
print(json.dumps({what: goes(call) for what, call in tried.items()}), flush=True)
