"""tmpfiles.d(5): systemd-tmpfiles of the image, on a dry run."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute

#: Users and groups of sysusers.d(5) are there when systemd-tmpfiles runs; what is wrong with them is told elsewhere.
#: The files of passwords are in the way: their group has no number where an ordinary user runs this.
_SCRIPT = (
    'rm -f /etc/shadow /etc/gshadow; systemd-sysusers >/dev/null 2>&1; exec systemd-tmpfiles --dry-run --create "$1"'
)


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Report the lines that it can't read, and users and groups that the image doesn't have, ours included."""
    findings = []
    for subject in subjects:
        result = stage.script(_SCRIPT, [subject.path])
        findings += attribute("systemd-tmpfiles", result, [subject], ignore="^Would |^Creating |Running create action")
    return findings
