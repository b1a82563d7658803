"""Exchange two names over and over again, each pair of the arguments, until there is a file `stop`; say how often."""

import ctypes
import os
import sys
import time

AT_FDCWD, RENAME_EXCHANGE = -100, 2
LIBC = ctypes.CDLL(None, use_errno=True)
stop, *names = (os.fsencode(word) for word in sys.argv[1:])
count = 0
while count % 64 or not os.path.exists(stop):
    for one, other in zip(names[::2], names[1::2], strict=True):
        if LIBC.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE):
            sys.exit(os.strerror(ctypes.get_errno()))
    count += 1
    time.sleep(0.001)  # or nothing else gets anywhere on a machine with one processor
print(count)
