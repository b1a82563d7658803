"""sysusers.d(5): systemd-sysusers of the image, on a dry run."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Check every file by itself."""
    findings = []
    for subject in subjects:
        result = stage.run("systemd-sysusers", "--dry-run", subject.path)
        findings += attribute("systemd-sysusers", result, [subject], ignore="^(Would|Creating) ")
    return findings
