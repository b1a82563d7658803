"""Python programs of the image: compiled by the image's own Python."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute

_SCRIPT = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec', dont_inherit=True)"


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Report syntax errors."""
    findings = []
    for subject in subjects:
        result = stage.run("/usr/bin/python3", "-I", "-c", _SCRIPT, subject.path)
        if result.status != 0:
            findings += attribute("python3", type(result)(1, " ".join(result.lines()[-4:])), [subject])
    return findings
