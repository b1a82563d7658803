"""``python3 -m tau`` is the command ``tau``."""

import sys

from tau.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
