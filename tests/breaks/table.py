"""The table of breaks: one module for each overlay below of/, and docs/breaks.md made from them."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.breaks.model import Break

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "breaks.md"

_HEAD = """\
# What each check was seen to fail by

Made from tests/breaks/of/ by `.venv/bin/python -m tests.breaks.table`. A check is worth something when it fails where
its overlay is broken. `./inv test --breaks` makes one break after another, on the released image where that can be
done: by a command in the running system (*guest*), by what a machine is booted with (*boot*); else in an *image* that
is built with these breaks in it. A break counts as seen when the check's own assertion, or a wait of its own for what
should happen, fails for the stated reason.
"""


@dataclass(frozen=True)
class Table:
    """The breaks of one overlay.

    :ivar without: checks that have none, with the reason.
    """

    overlay: str
    breaks: Sequence[Break]
    without: dict[str, str]

    def of(self, function: str, kinds: Sequence[str] = ("guest", "boot", "image")) -> list[Break]:
        """Return the breaks of a check's function, whichever its parameters are."""
        found = []
        for each in self.breaks:
            if each.kind in kinds and function in {name.partition("[")[0] for name in each.checks}:
                found.append(each)
        return found


def overlays() -> list[str]:
    """Return the overlays that have breaks."""
    return sorted(path.stem.replace("_", "-") for path in (Path(__file__).parent / "of").glob("[a-z]*.py"))


def table(overlay: str) -> Table:
    """Return the breaks of an overlay; none for one that has no module."""
    if overlay not in overlays():
        return Table(overlay, [], {})
    module = importlib.import_module(f"tests.breaks.of.{overlay.replace('-', '_')}")
    return Table(overlay, module.BREAKS, module.WITHOUT)


def document() -> str:
    """Return the text of docs/breaks.md."""
    parts = [_HEAD]
    for overlay in overlays():
        found = table(overlay)
        parts += [f"\n## {overlay}\n", "\n| check | broken by | how |", "\n|---|---|---|\n"]
        for each in found.breaks:
            checks = ", ".join(name.removeprefix("test_") for name in each.checks)
            state = f"; **not seen yet**: {each.unseen}" if each.unseen else ""
            parts.append(f"| {_cell(checks)} | {_cell(each.what)} | {each.kind}{_cell(state)} |\n")
        if found.without:
            parts.append("\nWithout a break:\n\n")
            parts += [f"- {name.removeprefix('test_')}: {reason}\n" for name, reason in found.without.items()]
    return "".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("_", "\\_").replace("*", "\\*") if "**" not in text else text


if __name__ == "__main__":
    DOCUMENT.write_text(document())
