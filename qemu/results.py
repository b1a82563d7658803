"""Where a run of the checks leaves its results: a folder of its own, beside those of the runs before it."""

import datetime
import os
import re
import shutil
from pathlib import Path

#: Of earlier runs that have ended the newest are kept: somebody may be looking at one, or comparing.
KEPT = 9
#: The link to the newest run's folder.
LAST = "last"


def begin(base: Path) -> Path:
    """Make the folder of a run of this process, ``base/YYYY-MM-DD_HH-MM-SS_PID``, and point ``base/last`` to it.

    Older folders are removed, but neither the newest of them nor one whose process still runs: two may go on at once.
    """
    base.mkdir(parents=True, exist_ok=True)
    ended = sorted(path for path in base.iterdir() if (pid := _process(path)) and not _runs(pid))
    for old in ended[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)  # another run may remove it as well
    began = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d_%H-%M-%S")
    folder = base / f"{began}_{os.getpid()}"
    folder.mkdir(exist_ok=True)
    beside = base / f".{LAST}.{os.getpid()}"
    beside.unlink(missing_ok=True)
    beside.symlink_to(folder.name)
    beside.rename(base / LAST)
    return folder


def _process(folder: Path) -> int | None:
    match = re.fullmatch(r"[0-9]{4}(-[0-9]{2}){2}_[0-9]{2}(-[0-9]{2}){2}_([0-9]+)", folder.name)
    return int(match[3]) if match else None


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
