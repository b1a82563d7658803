"""The resolver's configuration: dnscrypt-proxy -check."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Let dnscrypt-proxy read each file."""
    findings = []
    for subject in subjects:
        result = stage.run("dnscrypt-proxy", "-check", "-config", subject.path)
        if result.status != 0:
            findings += attribute("dnscrypt-proxy", result, [subject], ignore=r"\[NOTICE\]|\[INFO\]")
    return findings
