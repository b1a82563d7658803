"""Run commands one after another, and write what each took: started in the machine, as whoever is to run them.

Its arguments are the file to write and the commands, as a JSON object of argument lists by name. Each begins when the
machine is at rest: what one command leaves for others to do is not charged to the next.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

#: Seconds between two looks at how busy the machine is, and how long to wait for its rest at most.
_PAUSE, _MOST = 0.2, 90.0
#: At rest it is when it was less busy than this, so many times in a row.
_BUSY, _TIMES = 0.08, 3


def busy_and_all() -> tuple[float, float]:
    """Return the seconds of processor time that were used since the boot, and all that there were (proc_stat(5))."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), sum(ticks) / os.sysconf("SC_CLK_TCK")


def rest() -> None:
    """Wait until nothing runs any more."""
    deadline = time.monotonic() + _MOST
    quiet = 0
    before = busy_and_all()
    while quiet < _TIMES and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        now = busy_and_all()
        quiet = quiet + 1 if now[0] - before[0] < _BUSY * max(now[1] - before[1], 0.01) else 0
        before = now


def main() -> None:
    """Run them."""
    target, commands = Path(sys.argv[1]), json.loads(sys.argv[2])
    found = {}
    for name, command in commands.items():
        rest()
        busy, began = busy_and_all()[0], time.monotonic()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        ended = time.monotonic()
        rest()
        found[name] = {
            "began": began,
            "ended": ended,
            "busy": busy_and_all()[0] - busy,
            "status": done.returncode,
            "said": (done.stdout + done.stderr).decode(errors="replace")[-500:],
        }
    target.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
