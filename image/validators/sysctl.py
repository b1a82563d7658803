"""sysctl.d(5): systemd-sysctl of the image reads the files; the prefix keeps it from setting anything."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Report the lines that are no assignment."""
    command = ("/usr/lib/systemd/systemd-sysctl", "--prefix=/net/none", *(subject.path for subject in subjects))
    return attribute("systemd-sysctl", stage.run(*command), subjects)
