"""tmpfiles.d(5): systemd-tmpfiles of the image, on a dry run."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Report the lines that it can't read, and users and groups that the image doesn't have."""
    findings = []
    for subject in subjects:
        result = stage.run("systemd-tmpfiles", "--dry-run", "--create", subject.path)
        findings += attribute("systemd-tmpfiles", result, [subject], ignore="^Would |^Creating |Running create action")
    return findings
