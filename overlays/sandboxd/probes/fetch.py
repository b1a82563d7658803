"""Fetch a page over HTTP as any program does, by name or address, and say how it went, and after how many seconds."""

import sys
import time
import urllib.request

begun = time.monotonic()
try:
    with urllib.request.urlopen(sys.argv[1], timeout=100) as page:
        said = page.read(100).decode().strip()
except OSError as error:
    said = str(error)
print(f"{said} after {time.monotonic() - begun:.1f} s", flush=True)
