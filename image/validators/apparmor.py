"""AppArmor profiles: apparmor_parser(8) compiles each, loading none into a kernel."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute

#: -Q: don't load. -K: neither read nor write the cache.
_COMMAND = ("/sbin/apparmor_parser", "-Q", "-K", "--warn=rule-not-enforced")


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Compile every profile by itself: a broken one must not hide the next."""
    findings = []
    for subject in subjects:
        features = "/usr/lib/tau/apparmor/kernel-features"
        extra = ["--kernel-features", features] if stage.has(features) else []
        result = stage.run(*_COMMAND, *extra, subject.path)
        if result.status != 0:
            findings += attribute("apparmor_parser", result, [subject], ignore="^Warning|^Cache")
    return findings
