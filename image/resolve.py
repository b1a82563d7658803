"""From a recipe to the overlays in the order in which they are laid, each with the values of its options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.findings import Finding, FindingsError, nearest
from image.options import Value
from image.overlay import Overlay, find_overlays, load_overlay
from image.recipe import Recipe


@dataclass(frozen=True)
class Resolved:
    """A recipe whose every name is known to be right."""

    recipe: Recipe
    overlays: tuple[Overlay, ...]
    options: Mapping[str, Mapping[str, Value]]


def resolve(recipe: Recipe, search_path: Sequence[Path], settings: Sequence[str] = ()) -> Resolved:
    """Find the overlays of `recipe`, order them, and decide every option.

    :param search_path: folders of overlays, the first wins.
    :param settings: ``overlay.option=value`` each, from the command line; they win over the recipe.
    :raises FindingsError: with every unknown overlay, missing requirement, conflict, cycle and bad option value.
    """
    folders = find_overlays(search_path)
    findings: list[Finding] = []
    loaded: dict[str, Overlay] = {}
    for name, setting in recipe.overlays.items():
        if name not in folders:
            findings.append(setting.finding(f"no overlay {name!r}", nearest=nearest(name, folders)))
            continue
        try:
            loaded[name] = load_overlay(name, folders)
        except FindingsError as error:
            findings += error.findings
    if findings:
        raise FindingsError(findings)  # what follows would only report their consequences
    findings += _relations(loaded)
    order = _order(loaded, findings)
    options = _options(recipe, loaded, settings, findings)
    if findings:
        raise FindingsError(findings)
    return Resolved(recipe, tuple(loaded[name] for name in order), options)


def _relations(loaded: Mapping[str, Overlay]) -> list[Finding]:
    findings = []
    for overlay in loaded.values():
        for index, name in enumerate(overlay.definition.requires):
            if name not in loaded:
                message = f"the overlay {overlay.name!r} requires {name!r}, which is not in the recipe"
                close = nearest(name, loaded)
                findings.append(overlay.document.finding(("requires", index), message, nearest=close))
        for index, name in enumerate(overlay.definition.conflicts):
            if name in loaded:
                message = f"the overlays {overlay.name!r} and {name!r} can't be in one recipe"
                findings.append(overlay.document.finding(("conflicts", index), message))
    return findings


def _order(loaded: Mapping[str, Overlay], findings: list[Finding]) -> list[str]:
    """Requirements first, else as the recipe names them; the same order for the same recipe."""
    order: list[str] = []
    path: list[str] = []

    def visit(name: str) -> None:
        if name in order or name not in loaded:
            return
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            overlay = loaded[path[-1]]
            findings.append(overlay.document.finding(("requires",), f"makes a circle: {circle}"))
            return
        path.append(name)
        for required in loaded[name].definition.requires:
            visit(required)
        path.pop()
        order.append(name)

    for name in loaded:
        visit(name)
    return order


def _options(
    recipe: Recipe, loaded: Mapping[str, Overlay], settings: Sequence[str], findings: list[Finding]
) -> dict[str, dict[str, Value]]:
    values: dict[str, dict[str, Value]] = {
        name: {key: option.default for key, option in overlay.definition.options.items()}
        for name, overlay in loaded.items()
    }
    for name, given in recipe.options.items():
        for key, setting in given.items():
            if name not in loaded:
                close = nearest(name, loaded)
                findings.append(setting.finding(f"the overlay {name!r} is not in the recipe", nearest=close))
                continue
            known = loaded[name].definition.options
            if key not in known:
                close = nearest(key, known)
                findings.append(setting.finding(f"the overlay {name!r} has no such option", nearest=close))
                continue
            try:
                values[name][key] = known[key].check(setting.value)
            except ValueError as error:
                findings.append(setting.finding(str(error)))
    for setting_text in settings:
        _set(setting_text, loaded, values, findings)
    return values


def _set(
    text: str,
    loaded: Mapping[str, Overlay],
    values: dict[str, dict[str, Value]],
    findings: list[Finding],
) -> None:
    target, equals, value = text.partition("=")
    name, dot, key = target.partition(".")
    argument = f"--set {text}"
    if not (equals and dot):
        findings.append(Finding(f"{argument}: is not a setting", expected="overlay.option=value"))
    elif name not in loaded:
        message = f"{argument}: the overlay {name!r} is not in the recipe"
        findings.append(Finding(message, nearest=nearest(name, loaded)))
    elif key not in loaded[name].definition.options:
        close = nearest(key, loaded[name].definition.options)
        findings.append(Finding(f"{argument}: the overlay {name!r} has no such option", nearest=close))
    else:
        try:
            values[name][key] = loaded[name].definition.options[key].parse(value)
        except ValueError as error:
            findings.append(Finding(f"{argument}: {error}"))
