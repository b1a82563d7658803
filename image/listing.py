"""Lists for people: the recipes, the overlays, and one overlay with all its options."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from image.findings import Finding, FindingsError, printable
from image.host import facts
from image.options import ChoiceOption, IntegerOption
from image.overlay import Overlay, find_overlays, load_overlay, no_overlay, overlay_folders
from image.paths import Paths
from image.recipe import list_recipes, load_recipe


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def recipes(root: Path) -> None:
    """Print the name, version, title and overlays of every recipe.

    :raises FindingsError: when one of them is not valid (after the others were listed).
    """
    table = _table("RECIPE", "VERSION", "TITLE", "OVERLAYS")
    findings: list[Finding] = []
    for name in list_recipes(root / "recipes"):
        recipe = load_recipe(name, root / "recipes")
        if recipe.findings:
            findings += recipe.findings
            continue
        table.add_row(Text(printable(name)), recipe.version, Text(printable(recipe.title)), ", ".join(recipe.overlays))
    Console().print(table)
    if findings:
        raise FindingsError(findings)


def overlays(root: Path, name: str, overlay_path: Sequence[str]) -> None:
    """Print every overlay, or describe the one named.

    :raises FindingsError: when it is not there, or one of them is not valid (after the others were listed).
    """
    findings: list[Finding] = []
    search_path = overlay_folders(root, overlay_path)
    folders = find_overlays(search_path, findings)
    if name:
        if name not in folders:
            raise FindingsError([*findings, no_overlay(name, folders, search_path)])
        overlay = load_overlay(name, folders[name])
        if findings or overlay.findings:
            raise FindingsError([*findings, *overlay.findings])
        _describe(overlay)
        return
    table = _table("OVERLAY", "TITLE", "ROWS", "OPTIONS")
    for each, folder in folders.items():
        overlay = load_overlay(each, folder)
        if overlay.findings:
            findings += overlay.findings
            continue
        definition = overlay.definition
        rows = ", ".join(str(row) for row in definition.rows)
        table.add_row(Text(printable(each)), Text(printable(definition.title)), rows, ", ".join(definition.options))
    Console().print(table)
    if findings:
        raise FindingsError(findings)


def doctor(root: Path) -> int:
    """Print what this host has and lacks; returns 1 when something is missing that a build needs."""
    table = _table("", "WHAT", "FOUND", "MEND")
    found = facts(Paths.of(root))
    marks = {"ok": Text("ok", "green"), "note": Text("note", "yellow"), "missing": Text("missing", "red")}
    for fact in found:
        table.add_row(marks[fact.state], fact.what, Text(printable(fact.found)), Text(printable(fact.mend)))
    Console().print(table)
    return int(any(fact.state == "missing" for fact in found))


def _describe(overlay: Overlay) -> None:
    console = Console(highlight=False)
    definition = overlay.definition
    console.print(Text(f"{overlay.name}: {printable(definition.title)}", "bold"))
    console.print(Text("\n".join(printable(line) for line in definition.description.splitlines())))
    facts = {
        "folder": printable(str(overlay.folder)),
        "rows of the security model": ", ".join(str(row) for row in definition.rows),
        "packages": ", ".join(definition.packages),
        "requires": ", ".join(definition.requires),
        "conflicts with": ", ".join(definition.conflicts),
    }
    for label, value in facts.items():
        if value:
            console.print(Text(f"{label}: {value}"))
    if not definition.options:
        return
    console.print()
    table = _table("OPTION", "TYPE", "DEFAULT", "DESCRIPTION")
    for key, option in definition.options.items():
        kind: str = option.type
        if isinstance(option, ChoiceOption):
            kind = " | ".join(option.choices)
        elif isinstance(option, IntegerOption) and (option.minimum, option.maximum) != (None, None):
            low, high = (("" if bound is None else bound) for bound in (option.minimum, option.maximum))
            kind = f"integer {low}..{high}"
        default = ", ".join(option.default) if isinstance(option.default, list) else str(option.default)
        table.add_row(key, kind, Text(printable(default)), Text(printable(option.description.strip())))
    console.print(table)
