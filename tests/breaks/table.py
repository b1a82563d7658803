"""The table of breaks: one module for each overlay below of/, and docs/breaks.md made from them.

``python -m tests.breaks.table [REPORT...]`` notes in seen.txt what the reports of a run say was seen to fail
(build/reports/last/*/breaks-*.json), and writes docs/breaks.md.
"""

import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.breaks.model import Break

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "breaks.md"
#: The variants of checks (pytest's node ids) that were seen to fail, one a line.
SEEN = Path(__file__).parent / "seen.txt"

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


def seen() -> list[str]:
    """Return the variants of checks that were seen to fail, as pytest's node ids."""
    return SEEN.read_text().splitlines() if SEEN.exists() else []


def note(reports: Sequence[Path]) -> None:
    """Add to the variants that were seen to fail those of a run's reports."""
    found = {each["check"] for report in reports for each in json.loads(report.read_text())}
    SEEN.write_text("".join(f"{line}\n" for line in sorted({*seen(), *found})))


def document() -> str:
    """Return the text of docs/breaks.md."""
    parts, variants = [_HEAD], seen()
    for overlay in overlays():
        found = table(overlay)
        parts += [f"\n## {overlay}\n", "\n| check | broken by | how | seen to fail |", "\n|---|---|---|---|\n"]
        for each in found.breaks:
            checks = ", ".join(name.removeprefix("test_") for name in each.checks)
            count = sum(is_of(variant, overlay, each) for variant in variants)
            state = "**not yet**" if count == 0 else "yes" if count == 1 else f"yes ({count} variants)"
            parts.append(f"| {_cell(checks)} | {_cell(each.what)} | {each.kind} | {state} |\n")
        if found.without:
            parts.append("\nWithout a break:\n\n")
            parts += [f"- {name.removeprefix('test_')}: {reason}\n" for name, reason in found.without.items()]
    return "".join(parts)


def is_of(variant: str, overlay: str, each: Break) -> bool:
    """Whether a node id is of a break: overlays/OVERLAY/FILE::FUNCTION[PARAMETERS-WHAT]."""
    path, _, name = variant.partition("::")
    function, _, rest = name.removesuffix("]").partition("[")
    if path.split("/")[-2] != overlay or not (rest == each.what or rest.endswith(f"-{each.what}")):
        return False
    return each.breaks(function, rest.removesuffix(each.what).removesuffix("-"))


def _cell(text: str) -> str:
    for sign in "|_*<":
        text = text.replace(sign, f"\\{sign}")
    return text


if __name__ == "__main__":
    note([Path(report) for report in sys.argv[1:]])
    DOCUMENT.write_text(document())
