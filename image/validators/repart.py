"""Partition definitions, repart.d(5): systemd-repart of the initrd plans them on a disk that is only thought of."""

from collections.abc import Sequence
from pathlib import PurePath

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute

#: Enough for every partition at its smallest, and for what grows.
_DISK = "64G"


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Plan each folder of definitions as a whole: that is how they are read."""
    findings = []
    for folder in sorted({str(PurePath(subject.path).parent) for subject in subjects}):
        own = [subject for subject in subjects if str(PurePath(subject.path).parent) == folder]
        arguments = ["--dry-run=yes", "--empty=create", f"--size={_DISK}", f"--definitions={folder}", "--json=off"]
        result = stage.run("systemd-repart", "--offline=yes", *arguments, "/tmp/disk", part=own[0].part)  # noqa: S108
        complaints = [line for line in result.lines() if any(subject.path in line for subject in own)]
        if result.status != 0 or complaints:
            text = "\n".join(complaints or result.lines()[-3:])
            findings += attribute("systemd-repart", type(result)(1, text), own)
    return findings
