"""modprobe.d(5): modprobe(8) of the image reads the files and tells what it can't."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Report the lines that kmod complains about; it exits with 0 all the same."""
    result = stage.run("/sbin/modprobe", "--showconfig")
    complaints = "\n".join(line for line in result.lines() if line.startswith(("libkmod:", "modprobe:")))
    return attribute("modprobe", type(result)(result.status, complaints), subjects)
