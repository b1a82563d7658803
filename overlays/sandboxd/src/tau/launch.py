"""How an app is to be started, as its user's ticket says it: fixed fields, then the arguments."""

import re
import struct
from typing import NamedTuple

from tau.folders import FOLDERS, INSIDE, is_below_home

#: Flags, the inode of the folder of its data, TERM, LANG.
_FIELDS = struct.Struct("!B7xQ32s64s")
_EPHEMERAL = 1
_TERMINAL, _LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,31}"), re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,63}")
#: Longest arguments in all, in bytes, and most of them: they become one line of a unit file, which systemd cuts off
#: at 1 MiB, each byte as up to four.
MAX_BYTES, MAX_ARGUMENTS = 96 * 1024, 10_000
#: Longest path of the folder that it begins in, in bytes (PATH_MAX).
_MAX_FOLDER = 4095
_NO_FOLDERS = ("",) * len(FOLDERS)


class LaunchError(Exception):
    """Nothing can be started like this; the message is for whoever asked."""


class Launch(NamedTuple):
    """How an app is started.

    :param arguments: what follows the manifest's command.
    :param ephemeral: whether it gets an empty home, and nothing of it is kept.
    :param terminal: the value of TERM, when it has a terminal, or nothing.
    :param language: the value of LANG, or nothing.
    :param folders: where the folders of its user's lie (:func:`tau.user_folders.of_user`).
    :param folder: that it begins in, as the app finds it, or nothing for its home.
    :param data: the inode of the folder that its data lie in, by which root sees that it is another one than before.
    """

    arguments: tuple[str, ...] = ()
    ephemeral: bool = False
    terminal: str = ""
    language: str = ""
    folders: tuple[str, ...] = _NO_FOLDERS
    folder: str = ""
    data: int = 0

    def pack(self) -> bytes:
        """Return it as a ticket's details.

        :raises LaunchError: when it is too long, or holds what no unit can be told.
        """
        self._check()
        flags = _EPHEMERAL if self.ephemeral else 0
        words = b"".join(word.encode() + b"\0" for word in (*self.folders, self.folder, *self.arguments))
        return _FIELDS.pack(flags, self.data, self.terminal.encode(), self.language.encode()) + words

    def _check(self) -> None:
        """Hold it to its limits.

        :raises LaunchError: as :meth:`pack`.
        """
        for value, form in ((self.terminal, _TERMINAL), (self.language, _LANGUAGE)):
            if value and not form.fullmatch(value):
                raise LaunchError("TERM or LANG is of another form")
        if len(self.arguments) > MAX_ARGUMENTS:
            raise LaunchError(f"at most {MAX_ARGUMENTS} arguments are possible")
        if len(self.folders) != len(FOLDERS) or not all(not each or is_below_home(each) for each in self.folders):
            raise LaunchError("a folder of yours is hidden, or not below your home")
        try:
            if self.folder and not f"{self.folder}/".startswith(f"{INSIDE}/"):
                raise LaunchError("can't begin in a folder that is none of its user's")
            if len(self.folder.encode()) > _MAX_FOLDER or "\0" in self.folder:
                raise LaunchError("can't begin in a folder with such a path")
            size = sum(len(word.encode()) + 1 for word in self.arguments)
        except UnicodeEncodeError:
            raise LaunchError("an argument, or the folder, is not UTF-8, and systemd takes no other") from None
        if size > MAX_BYTES:
            raise LaunchError(f"the arguments have {size} bytes; {MAX_BYTES} are possible")
        if any("\0" in word for word in self.arguments):
            raise LaunchError("an argument holds a NUL")


def unpack(data: bytes) -> Launch:
    """Return what :meth:`Launch.pack` packed.

    :raises LaunchError: for anything else.
    """
    try:
        flags, data_folder, terminal, language = _FIELDS.unpack_from(data)
        words = data[_FIELDS.size :].decode().split("\0")
        if flags & ~_EPHEMERAL or words.pop() or len(words) <= len(FOLDERS):
            raise ValueError
        folders, folder, arguments = words[: len(FOLDERS)], words[len(FOLDERS)], words[len(FOLDERS) + 1 :]
        launch = Launch(
            tuple(arguments),
            bool(flags & _EPHEMERAL),
            terminal.rstrip(b"\0").decode("ascii"),
            language.rstrip(b"\0").decode("ascii"),
            tuple(folders),
            folder,
            data_folder,
        )
    except (struct.error, ValueError):
        raise LaunchError("is of another form") from None
    launch._check()
    return launch


def of_form(terminal: str, language: str) -> tuple[str, str]:
    """Return TERM and LANG, each as it is when an app can be told it, else empty."""
    return (
        terminal if _TERMINAL.fullmatch(terminal) else "",
        language if _LANGUAGE.fullmatch(language) else "",
    )
