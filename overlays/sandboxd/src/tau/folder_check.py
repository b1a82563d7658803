"""A look at an app's files for what its author can't have meant: what would not run, and what is nobody's business.

What is refused can't work, or gives a secret away. Of the rest the author is told, and it is packed.
"""

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: The architectures of bundles, as uname(1) calls them, with systemd's names of them (systemd.unit(5)).
ARCHITECTURES = {"x86_64": "x86-64", "aarch64": "arm64"}
#: Machines of ELF files, as uname(1) calls them, by their number (elf.h, e_machine).
MACHINES = {62: "x86_64", 183: "aarch64", 3: "i386", 40: "arm", 243: "riscv64", 21: "ppc64le", 22: "s390x"}
#: Where an app's own programs are looked for: its PATH is /app/bin:/usr/bin.
PROGRAMS = "bin"
#: Longest file that is looked through for private keys, in bytes.
_MOST_KEY = 64 * 1024
#: As much of a file as the kernel looks at to start it, in bytes (linux/binfmts.h, BINPRM_BUF_SIZE).
_MOST_HEAD = 256
#: A private key as PEM files hold it (RFC 7468), and not a text about such.
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+(?=[A-Za-z0-9+/]{8})")
_HISTORY = (".git", ".hg", ".svn")


class Look(NamedTuple):
    """What was seen: lines that begin with a file's path, relative to the app's folder."""

    refused: list[str]
    notes: list[str]


def program_problem(folder: Path, program: str) -> str:
    """Return what keeps an app's program from being started, or nothing.

    :param folder: the app's.
    :param program: its path there.
    :raises OSError: when it can't be read.
    """
    path = folder / program
    if not path.exists():
        return "is not there"
    if not path.is_file():
        return "is not a file"
    if not path.stat().st_mode & 0o111:
        return "is not executable (chmod +x)"
    head = _head(path)
    if not head.startswith((b"#!", b"\x7fELF")):
        return "is no program: it begins neither with #!, as in #!/bin/sh, nor as a compiled one (ELF) does"
    return _script_problem(head)


def look(folder: Path, program: str, architecture: str, key: Path) -> Look:
    """Look at each file of an app.

    :param folder: the app's, as it goes into the bundle.
    :param program: the manifest's, a path in it.
    :param architecture: of the bundle, as uname(1) calls it.
    :param key: the file of the key that signs.
    :raises OSError: when something can't be read.
    """
    seen = _Seen(program, architecture, _secret(key.read_bytes()))
    for path in _files(folder):
        name = str(path.relative_to(folder))
        if path.name in _HISTORY:
            seen.refused.append(f"{name}: is the history of its sources, and nothing of the app; keep it outside")
        elif path.is_symlink():
            seen.dangling += [] if path.exists() else [name]
        elif path.is_dir():
            seen.compiled += [name] if path.name == "__pycache__" else []
        else:
            seen.file(path, name)
    return Look(seen.refused, seen.notes())


class _Seen:
    """What was seen of an app's files until now, each list by what it is about."""

    def __init__(self, program: str, architecture: str, secret: bytes) -> None:
        self._program = program
        self._architecture = architecture
        self._secret = secret
        self.refused: list[str] = []
        self.dangling: list[str] = []
        self.compiled: list[str] = []
        self._keys: list[str] = []
        self._others: list[str] = []

    def file(self, path: Path, name: str) -> None:
        """Look at a file.

        :raises OSError: when it can't be read.
        """
        status = path.stat()
        content = path.read_bytes() if status.st_size <= _MOST_KEY else _head(path)
        if _PRIVATE_KEY.search(content):
            if self._secret and self._secret in _bare(content):
                self.refused.append(f"{name}: is the key that signs, which everybody would have; keep it outside")
            else:
                self._keys.append(name)
        machine = machine_of(content)
        if machine and machine != self._architecture:
            # Of what lies elsewhere an app may hold several machines', and choose by itself.
            if name == self._program or name.startswith(f"{PROGRAMS}/"):
                self.refused.append(f"{name}: {_other_machine(machine, self._architecture)}")
            else:
                self._others.append(name)
        if status.st_mode & 0o111 and name != self._program and (problem := _script_problem(content)):
            self.refused.append(f"{name}: {problem}")

    def notes(self) -> list[str]:
        """Return a line for each kind of what is packed all the same."""
        return [
            *_told(self._keys, "holds a private key, which everybody has who has the bundle"),
            *_told(self._others, f"is for another machine, and the bundle is for {self._architecture}"),
            *_told(self.dangling, "is a link to nothing"),
            *_told(self.compiled, "is what Python made here; without it, the bundle is the same each time"),
        ]


def machine_of(head: bytes) -> str:
    """Return which machine an ELF file is for, by its first bytes; empty when it is none (elf(5))."""
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        return ""
    (number,) = struct.unpack_from(">H" if head[5] == 2 else "<H", head, 18)
    return MACHINES.get(number, f"another machine (number {number} in elf.h)")


def _other_machine(machine: str, architecture: str) -> str:
    hint = f" (--arch {machine})" if machine in ARCHITECTURES else ""
    return f"is for {machine}, and the bundle is for {architecture}{hint}"


def _script_problem(head: bytes) -> str:
    """What is wrong with the first line of a script; nothing of what is none."""
    if head.startswith(b"#!") and head.partition(b"\n")[0].endswith(b"\r"):
        return "has lines that end as on Windows (CR LF), and is not started so; write it with LF alone"
    return ""


def _secret(key: bytes) -> bytes:
    """What is secret of a key's file (PEM), as :func:`_bare` has it; empty when there is nothing."""
    found = _PRIVATE_KEY.search(key)
    return _bare(key[found.end() :].partition(b"-----END")[0]) if found else b""


def _bare(content: bytes) -> bytes:
    """A text without its blanks and ends of lines, which are others in a copy."""
    return re.sub(rb"\s", b"", content)


def _files(folder: Path) -> Iterator[Path]:
    """Everything in a folder, sorted; of the history of its sources the folder alone."""
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in sorted([*folders, *files]))
        folders[:] = sorted(name for name in folders if name not in _HISTORY)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_HEAD)


def _told(names: list[str], what: str) -> list[str]:
    """One line about all files of a kind: the first, and how many more there are."""
    more = f" (and {len(names) - 1} more)" if names[1:] else ""
    return [f"{names[0]}: {what}{more}"] if names else []
