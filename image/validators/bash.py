"""Shell scripts: shellcheck(1) of the tools tree, for sh and bash."""

import json
from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Report what shellcheck finds, down to its informational level."""
    result = stage.tool("shellcheck", "--format=json1", "--severity=info", *(str(each.disk) for each in subjects))
    try:
        comments = json.loads(result.output)["comments"]
    except (ValueError, KeyError):
        return [subjects[0].finding("shellcheck", result.output.strip())]
    by_file = {str(each.disk): each for each in subjects}
    return [
        by_file[comment["file"]].finding("shellcheck", f"SC{comment['code']}: {comment['message']}", comment["line"])
        for comment in comments
    ]
