"""A tree of files in memory, with the modes that are stated for them, written beside and then renamed into place."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from image.findings import Finding, FindingsError


@dataclass(frozen=True)
class File:
    """A file to write.

    :param mode: permission bits.
    :param source: the file or template that it came from.
    :param owner: user and group inside the image; the tree on disk belongs to whoever builds.
    """

    content: bytes
    mode: int = 0o644
    source: Path | None = None
    overlay: str = ""
    owner: str = "root"
    group: str = "root"


@dataclass
class Tree:
    """Files and symbolic links by their path relative to the tree's root."""

    files: dict[str, File] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folder_modes: dict[str, int] = field(default_factory=dict)

    def add_text(self, path: str, text: str, mode: int = 0o644) -> None:
        """Add a file of ours."""
        self.files[path] = File(text.encode(), mode)

    def write(self, target: Path) -> None:
        """Write the tree to `target`. What was there is replaced as a whole once the new tree is complete.

        :raises FindingsError: when the disk is full or the folder can't be written; `target` is then as it was.
        """
        beside = target.with_name(f".{target.name}.{os.getpid()}.new")
        old = target.with_name(f".{target.name}.{os.getpid()}.old")
        try:
            shutil.rmtree(beside, ignore_errors=True)
            self._write_to(beside)
            if target.exists():
                target.rename(old)
            beside.rename(target)
        except OSError as error:
            raise FindingsError([Finding(f"can't be written: {error.strerror}", file=target)]) from error
        finally:
            if not target.exists() and old.exists():
                old.rename(target)
            shutil.rmtree(beside, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)

    def _write_to(self, base: Path) -> None:
        make_folder(base)
        for relative, file in sorted(self.files.items()):
            path = base / relative
            make_folder(path.parent)
            path.write_bytes(file.content)
            path.chmod(file.mode)
        for relative, link in sorted(self.links.items()):
            path = base / relative
            make_folder(path.parent)
            path.symlink_to(link)
        for relative, mode in sorted(self.folder_modes.items()):
            make_folder(base / relative)
            (base / relative).chmod(mode)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, each with mode 0755 whatever the umask is."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o755, exist_ok=True)
        path.chmod(0o755)


def walk(base: Path) -> Iterator[Path]:
    """Yield every file and link below `base`, sorted, as a path relative to it."""
    for path in sorted(base.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(base)
