"""A user's own folders, as their own programs see them: where they lie, and what an app finds them as."""

import os
import pwd
import re
from collections.abc import Container, Mapping
from pathlib import Path

from tau.folders import FOLDERS, INSIDE, can_be_said, is_below_home

_LINE = re.compile(r'^XDG_([A-Z]+)_DIR=(?:"\$HOME/([^"\\$`]*)"$)?', re.MULTILINE)
_MOST_BYTES = 16 * 1024


class FolderError(Exception):
    """A folder can't be given to an app; the message follows its path."""


def home() -> Path:
    """Return where this user's home is, as the system has it, and root."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def of_user(top: Path) -> tuple[str, ...]:
    """Return where the folders of :data:`FOLDERS` lie, relative to their user's home; empty for one that there is not.

    One that is said to be the home itself, as xdg-user-dirs-update(1) does of one that was deleted, is not there.
    """
    try:
        with (top / ".config/user-dirs.dirs").open("rb") as file:
            said = dict(_LINE.findall(file.read(_MOST_BYTES).decode(errors="replace")))
    except OSError:
        said = {}
    found = []
    for key, usual in FOLDERS.values():
        path = said.get(key, usual).rstrip("/")
        found.append(path if is_below_home(path) else "")  # one that lies elsewhere is not there for apps
    return tuple(found)


def inside(path: str, places: Mapping[str, str]) -> str | None:
    """Return what an app finds a file of its user's as, or None when it is in no folder that the app may be given.

    :param path: absolute; no link on it is followed.
    :param places: where each folder lies that the app may be given: absolute, by name.
    """
    if not path.startswith("/") or ".." in path.split("/"):
        return None
    plain = os.path.normpath(path)
    end = "/" if path.endswith("/") else ""
    found = [
        (len(folder), f"{INSIDE}/{name}{plain[len(folder) :]}{end}")
        for name, folder in places.items()
        if plain == folder or plain.startswith(f"{folder}/")
    ]
    return max(found)[1] if found else None


def handed_on(word: str, places: Mapping[str, str]) -> str:
    """Return an argument as the app knows it: the path of a file in a folder that it may be given, or the word itself.

    A path that leads upwards is another one inside (``../Music/song``): it is followed here, links and all.

    :param places: as for :func:`inside`.
    """
    upwards = ".." in word.split("/") and Path(word).exists()
    return inside(os.path.realpath(word) if upwards else word, places) or word


def to_pick(top: Path, path: str) -> str:
    """Return a folder that a user names as a path below their home, without any link on the way.

    :param path: relative to the home, or absolute.
    :raises FolderError: when it is none that can be given to an app.
    """
    try:
        folder = (top / path.removeprefix("~/")).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise FolderError("is not there") from None
    if not folder.is_dir():
        raise FolderError("is not a folder")
    real = top.resolve()
    below = str(folder.relative_to(real)) if folder.is_relative_to(real) else ""
    if not can_be_said(below):
        raise FolderError("has a name that can't be written down: it is too long, or holds control characters")
    if not is_below_home(below):
        raise FolderError("is hidden, not below your home, or ~/bin: an app can't be given it")
    why = _not_ones_own(folder, real)
    if why:
        raise FolderError(f"{why}: an app can't be given it")
    return below


def not_attached(top: Path, places: Mapping[str, str], named: Container[str]) -> list[str]:
    """Return what is said of folders that an app would be given and can't be, a line each.

    :param places: as for :func:`inside`.
    :param named: those of them that are told when they are not there: the manifest names them by themselves.
    """
    found = []
    for name, path in places.items():
        folder = Path(path)
        links = [
            step for step in (folder, *folder.parents) if step != top and step.is_relative_to(top) and step.is_symlink()
        ]
        if links:
            which = "it" if links[-1] == folder else str(links[-1])
            found.append(f"can't be given {path}: {which} is a link, and may lead anywhere; let it be a folder")
        elif not folder.is_dir():
            found += [f"can't be given {path}: it is not there"] if name in named else []
        elif why := _not_ones_own(folder, top):
            found.append(f"can't be given {path}: it {why}")
    return found


def _not_ones_own(folder: Path, top: Path) -> str:
    """Why root would not attach a folder: nothing when it would."""
    try:
        here, home_is = folder.stat(), top.stat()
    except OSError as error:
        # An app that may change the home can exchange it just now: that keeps no other app from starting.
        return f"can't be looked at: {error.strerror}"
    if here.st_dev != home_is.st_dev:
        return "is on another file system than your home"
    return "" if here.st_uid == os.getuid() else "is somebody else's"
