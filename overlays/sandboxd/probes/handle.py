"""Print what a file system calls the file of the argument (name_to_handle_at(2)), as hexadecimal digits."""

import ctypes
import sys

size = 128
handle = ctypes.create_string_buffer(size.to_bytes(4, sys.byteorder), 8 + size)
library = ctypes.CDLL(None, use_errno=True)
if library.name_to_handle_at(-100, sys.argv[1].encode(), handle, ctypes.byref(ctypes.c_int()), 0) < 0:
    sys.exit(str(ctypes.get_errno()))
print(handle.raw[: 8 + int.from_bytes(handle.raw[:4], sys.byteorder)].hex())
