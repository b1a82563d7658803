"""The folders of a user's that an app may be given, and where they lie: below the home, and nowhere else."""

#: The document folders by the name that an app finds them under, in /run/tau/files: the key of xdg-user-dirs(5) that
#: says where each lies, and where it lies when nothing is said. What people keep documents in, and so neither
#: dot-files nor keys, programs that start by themselves, or other apps' data.
FOLDERS = {
    "documents": ("DOCUMENTS", "Documents"),
    "downloads": ("DOWNLOAD", "Downloads"),
    "music": ("MUSIC", "Music"),
    "pictures": ("PICTURES", "Pictures"),
    "videos": ("VIDEOS", "Videos"),
}
#: The home itself, and one that its user has picked for an app.
HOME, PICKED = "home", "picked"
#: Where an app finds them.
INSIDE = "/run/tau/files"
#: Longest path of one below the home, in bytes.
MAX_PATH = 1024


def is_below_home(path: str) -> bool:
    """Whether a path can be one of a folder below a home: relative, no part of it hidden, and not ~/bin.

    There the user's shell finds programs (~/.profile).
    """
    first, *rest = path.split("/")
    return can_be_said(path) and first != "bin" and all(part and not part.startswith(".") for part in (first, *rest))


def can_be_said(path: str) -> bool:
    """Whether a path has no control characters or ends of lines in it, is UTF-8, and not too long."""
    try:
        short = len(path.encode()) <= MAX_PATH
    except UnicodeEncodeError:
        return False
    return short and not any(char < " " or "\x7f" <= char < "\xa0" or char in "\u2028\u2029" for char in path)
