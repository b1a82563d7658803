"""nftables rulesets: nft -c checks against the running kernel, in a network namespace of its own."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Check every ruleset by itself."""
    findings = []
    for subject in subjects:
        result = stage.run("/usr/sbin/nft", "--check", "--file", subject.path)
        if result.status != 0:
            findings += attribute("nft", result, [subject], ignore=r"^[\^ ~]+$")
    return findings
