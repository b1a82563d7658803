"""An app's folder as it goes into a bundle: copied, with modes that don't depend on whoever made it."""

import os
import shutil
import stat
from pathlib import Path, PurePosixPath

#: Most files and folders of one app. It keeps a mistake (the wrong folder) from filling a disk.
MAX_FILES = 100_000


class StagingError(Exception):
    """What can't go into a bundle; the message has one line for each."""


def stage(source: Path, target: Path) -> None:
    """Copy an app's folder to a new folder.

    Folders become 0755, files 0755 where anybody may execute them and 0644 where not. What only a file system of
    one's own should hold is refused: devices, sockets, pipes, set-uid and set-gid files, and links that lead out.

    :raises StagingError: with everything that is refused.
    :raises OSError: when something can't be read, or `target` can't be written.
    """
    refused: list[str] = []
    target.mkdir(mode=0o755)
    count = 0
    for folder, folders, files in os.walk(source, onerror=_raise):
        folders.sort()
        for name in sorted([*folders, *files]):
            count += 1
            if count > MAX_FILES:
                raise StagingError(f"{source} holds more than {MAX_FILES} files")
            path = Path(folder, name)
            relative = path.relative_to(source)
            problem = _copy(path, relative, target / relative)
            if problem:
                refused.append(f"{relative}: {problem}")
    if refused:
        raise StagingError("\n".join(refused))
    # Last, since a umask has no say in it.
    for folder, _, _ in os.walk(target):
        Path(folder).chmod(0o755)


def _copy(path: Path, relative: Path, target: Path) -> str:
    """Copy one file, link or folder, or return why it is refused."""
    if not str(relative).isprintable():
        return "has a name that can't be shown"
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        link = str(path.readlink())
        if not _stays_inside(relative, link):
            return f"is a link that leads out of the app: {link}{_mend(relative, link)}"
        target.symlink_to(link)
    elif stat.S_ISDIR(status.st_mode):
        target.mkdir(exist_ok=True)
    elif not stat.S_ISREG(status.st_mode):
        return "is neither a file, a folder nor a link"
    elif status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        return "is set-uid or set-gid"
    else:
        shutil.copyfile(path, target, follow_symlinks=False)
        target.chmod(0o755 if status.st_mode & 0o111 else 0o644)
    return ""


def _stays_inside(relative: Path, link: str) -> bool:
    """Whether no step of a link leaves the app's folder, wherever that is mounted."""
    if link.startswith("/"):
        return False
    depth = len(relative.parent.parts)
    for part in PurePosixPath(link).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True


def _mend(relative: Path, link: str) -> str:
    """How a link to where the app's files lie once it is installed is written."""
    inside = PurePosixPath(link)
    if not inside.is_relative_to("/app") or ".." in inside.parts:
        return ""
    return f"; make it relative: {os.path.relpath(inside.relative_to('/app'), relative.parent)}"


def _raise(error: OSError) -> None:
    raise error
