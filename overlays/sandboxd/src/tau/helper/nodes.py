"""The nodes of devices that a permission is about, as far as they are there."""

import re
from pathlib import Path

from tau.permissions import PERMISSIONS

_CLASSES = Path("/sys/class")


def of(permission: str) -> list[str]:
    """Return their names below /dev, for none when the permission is about no devices."""
    nodes = PERMISSIONS[permission].nodes
    if nodes is None:
        return []
    try:
        names = sorted(path.name for path in (_CLASSES / nodes.subsystem).iterdir())
    except OSError:
        return []  # no driver of the kind has been loaded
    return [nodes.below + name for name in names if re.fullmatch(nodes.pattern, name)]
