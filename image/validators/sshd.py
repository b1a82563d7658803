"""sshd_config(5): sshd -t of the image, with a host key made for the occasion."""

from collections.abc import Sequence

from image.findings import Finding
from image.validators.stage import Stage, Subject, attribute

_SCRIPT = """
set -e
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /run/host_key
exec /usr/sbin/sshd -t -h /run/host_key
"""


def check(stage: Stage, subjects: Sequence[Subject]) -> list[Finding]:
    """Check the configuration as sshd reads it, drop-ins included."""
    result = stage.script(_SCRIPT, [])
    return attribute("sshd", result, subjects, ignore="Unable to load host key") if result.status != 0 else []
