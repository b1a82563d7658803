"""sudoers(5): visudo -c, which also checks owner and mode."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Check every file by itself."""
    findings = []
    for subject in subjects:
        if subject.file.mode & 0o022:
            findings.append(subject.finding("sudo", f"would refuse mode {subject.file.mode:04o}; state 0440"))
        result = stage.run("/usr/sbin/visudo", "--check", "--strict", f"--file={subject.path}")
        if result.status != 0:
            findings += attribute("visudo", result, [subject], ignore=r"^\^|^\s*\^|bad permissions|wrong owner")
    return findings
