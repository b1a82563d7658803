"""Copies of overlays with the breaks of images in them, for ``./inv build --overlay-path``."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from image.findings import Finding, FindingsError
from tests.breaks.model import Edit
from tests.breaks.table import overlays, table


def edits(chosen: Iterable[str] | None = None) -> list[Edit]:
    """Return the changes of all breaks of images, or of those of some overlays, each once."""
    found = [edit for overlay in chosen or overlays() for each in table(overlay).breaks for edit in each.image]
    return list(dict.fromkeys(found))


def write(source: Path, folder: Path, changes: Iterable[Edit]) -> bool:
    """Copy each overlay that is changed from `source` to `folder`, and make the changes; returns whether there is any.

    :param source: the folder that holds the overlays.
    :raises FindingsError: when there is nothing to change where a change should be: the overlay has moved on.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for change in changes:
        overlay = change.path.partition("/")[0]
        if not (folder / overlay).exists():
            shutil.copytree(source / overlay, folder / overlay, symlinks=True)
        path = folder / change.path
        text = path.read_text()
        new, count = re.subn(change.pattern, change.replacement, text, flags=re.MULTILINE)
        if count == 0 or new == text:
            raise FindingsError([Finding(f"nothing here is /{change.pattern}/, which a break changes", file=path)])
        path.write_text(new)
    return any(folder.iterdir())
