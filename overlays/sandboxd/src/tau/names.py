"""An app's id, which becomes the name of folders, units and profiles."""

import re

#: An app's id: a domain name backwards (as D-Bus names and freedesktop.org's desktop entries are), in lower case, so
#: that no two differ by case alone, and without hyphens, which divide the names of units (systemd.unit(5)).
ID = re.compile(r"[a-z][a-z0-9_]{0,62}(?:\.[a-z][a-z0-9_]{0,62}){2,7}")
#: Longest id. With what is added to it, it is still the name of a file and of a unit (both 255 bytes).
MAX_ID = 128


def is_id(text: str) -> bool:
    """Whether `text` is an app's id."""
    return len(text) <= MAX_ID and ID.fullmatch(text) is not None


def data_folder(app: str) -> str:
    """Return where in its user's home an app's data lie. `tau run` makes it, as the user: root writes nothing there."""
    return f".local/share/tau/{app}"
