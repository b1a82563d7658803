"""Units: systemd-analyze verify of the image, which loads them with all that they refer to."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute

#: Said of Debian's own units when they are loaded beside ours, or of a root that is not booted.
_IGNORE = r"Failed to (connect|get) .*bus|Proceeding WITHOUT|man-db|dev-hugepages|is not an absolute path.*/dev/null"


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Verify all units of a manager together, then keep what is said of ours."""
    findings: list[Finding] = []
    for part in ("root", "initrd"):
        for scope in ("system", "user"):
            units = [each for each in subjects if each.part == part and f"/systemd/{scope}/" in each.path]
            if not units:
                continue
            names = sorted({_unit(subject.path) for subject in units})
            result = stage.run(
                "systemd-analyze",
                "verify",
                "--man=no",
                "--recursive-errors=no",
                *([] if scope == "system" else ["--user"]),
                *names,
                part=part,
            )
            said = [
                line
                for line in result.lines()
                if any(re.search(rf"(^|[\s/]){re.escape(_name(each.path))}\b", line) for each in units)
            ]
            findings += attribute("systemd-analyze", type(result)(result.status, "\n".join(said)), units, _IGNORE)
    return findings


def _name(path: str) -> str:
    """How systemd-analyze names the file: a unit by its name, a drop-in by its path."""
    return path if ".d/" in path else PurePath(path).name


def _unit(path: str) -> str:
    """The unit to load for a file: the one that a drop-in belongs to, an instance of a template."""
    pure = PurePath(path)
    name = pure.parent.name.removesuffix(".d") if pure.parent.name.endswith(".d") else pure.name
    return re.sub(r"@\.", "@instance.", name)
