"""From a recipe to the overlays in the order in which they are laid, each with the values of its options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from image.findings import Finding, nearest, one_of
from image.options import Value
from image.overlay import Overlay, find_overlays, load_overlay, no_overlay
from image.recipe import Recipe


@dataclass(frozen=True)
class Resolved:
    """A recipe with its overlays, as far as they are known.

    :param overlays: those that were found, in the order in which they are laid.
    :param options: of each of these; one whose value is not known is missing.
    :param findings: all that is wrong in the recipe, the overlays and the settings.
    :param overlays_known: whether `overlays` are all that were meant.
    """

    recipe: Recipe
    overlays: tuple[Overlay, ...]
    options: Mapping[str, Mapping[str, Value]]
    findings: tuple[Finding, ...]
    overlays_known: bool


def resolve(recipe: Recipe, search_path: Sequence[Path], settings: Sequence[str] = ()) -> Resolved:
    """Find the overlays of `recipe`, order them, and decide every option.

    What is wrong (unknown overlays, missing requirements, conflicts, cycles, bad option values, and all that is wrong
    in the files) is in its `findings`, without what would only be a consequence of something else that is wrong.

    :param search_path: folders of overlays, the first wins.
    :param settings: ``overlay.option=value`` each, from the command line; they win over the recipe.
    """
    findings = list(recipe.findings)
    unread: list[Finding] = []
    folders = find_overlays(search_path, unread)
    findings += unread
    loaded: dict[str, Overlay] = {}
    for name, setting in recipe.overlays.items():
        if name in folders:
            loaded[name] = load_overlay(name, folders[name])
            findings += loaded[name].findings
        elif not unread:
            findings.append(setting.place(no_overlay(name, folders, search_path)))
    absent = _Absent(recipe, loaded)
    findings += _relations(loaded, absent)
    order = _order(loaded, findings)
    options = _options(recipe, loaded, absent, settings, findings)
    known = recipe.overlays_known and set(loaded) == set(recipe.overlays)
    return Resolved(recipe, tuple(loaded[name] for name in order), options, tuple(findings), known)


@dataclass(frozen=True)
class _Absent:
    """Knows what to say of an overlay that is not among those `loaded`."""

    recipe: Recipe
    loaded: Mapping[str, Overlay]

    def certain(self, name: str) -> bool:
        """Whether it is not in the recipe, rather than not found or not readable there, of which was already told."""
        return name not in self.loaded and name not in self.recipe.overlays and self.recipe.overlays_known

    def option(self, name: str, key: str) -> bool:
        """Whether an overlay that is there has no such option."""
        return key not in self.loaded[name].definition.options and self.loaded[name].options_known


def _relations(loaded: Mapping[str, Overlay], absent: _Absent) -> list[Finding]:
    findings = []
    for overlay in loaded.values():
        place = overlay.document.item
        for name in overlay.definition.requires:
            if absent.certain(name):
                message = f"the overlay {overlay.name!r} requires {name!r}, which is not in the recipe"
                close = nearest(name, loaded)
                findings.append(overlay.document.finding(place("requires", name), message, nearest=close))
        for name in overlay.definition.conflicts:
            if name in loaded:
                message = f"the overlays {overlay.name!r} and {name!r} can't be in one recipe"
                findings.append(overlay.document.finding(place("conflicts", name), message))
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
    recipe: Recipe,
    loaded: Mapping[str, Overlay],
    absent: _Absent,
    settings: Sequence[str],
    findings: list[Finding],
) -> dict[str, dict[str, Value]]:
    values: dict[str, dict[str, Value]] = {
        name: {key: option.default for key, option in overlay.definition.options.items()}
        for name, overlay in loaded.items()
    }
    for name, given in recipe.options.items():
        for key, setting in given.items():
            if name not in loaded:
                if absent.certain(name):
                    close = nearest(name, loaded)
                    findings.append(setting.finding(f"the overlay {name!r} is not in the recipe", nearest=close))
                continue
            known = loaded[name].definition.options
            if key not in known:
                if absent.option(name, key):
                    findings.append(setting.place(_no_option(loaded[name], key)))
                continue
            try:
                values[name][key] = known[key].check(setting.value)
            except ValueError as error:
                values[name].pop(key)
                findings.append(setting.finding(str(error)))
    for setting_text in settings:
        _set(setting_text, loaded, absent, values, findings)
    return values


def _set(
    text: str,
    loaded: Mapping[str, Overlay],
    absent: _Absent,
    values: dict[str, dict[str, Value]],
    findings: list[Finding],
) -> None:
    target, equals, value = text.partition("=")
    name, dot, key = target.partition(".")
    argument = f"--set {text}"
    if not (equals and dot):
        findings.append(Finding(f"{argument}: is not a setting", expected="overlay.option=value"))
    elif name not in loaded:
        if absent.certain(name):
            message = f"{argument}: the overlay {name!r} is not in the recipe"
            findings.append(Finding(message, nearest=nearest(name, loaded)))
    elif key not in loaded[name].definition.options:
        if absent.option(name, key):
            finding = _no_option(loaded[name], key)
            findings.append(replace(finding, message=f"{argument}: {finding.message}"))
    else:
        try:
            values[name][key] = loaded[name].definition.options[key].parse(value)
        except ValueError as error:
            values[name].pop(key, None)
            findings.append(Finding(f"{argument}: {error}"))


def _no_option(overlay: Overlay, key: str) -> Finding:
    """The finding, not placed yet, for an option that the overlay has not: it lists those that it has."""
    known = overlay.definition.options
    if not known:
        return Finding(f"the overlay {overlay.name!r} has no options")
    message = f"the overlay {overlay.name!r} has no such option"
    return Finding(message, expected=one_of(known), nearest=nearest(key, known))
