"""A recipe: what can be built. It names overlays and sets their options, and may extend another recipe."""

import datetime
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from image.findings import Finding, FindingsError, nearest
from image.models import NAME, KernelArgument, Line, Name, OptionName, PackageName, Strict, load_model
from image.source import Document, Location


class RecipeFile(Strict):
    """The content of a recipes/NAME.yaml."""

    title: Line
    extends: Name | None = None
    #: Becomes IMAGE_VERSION in os-release(5) and part of file names.
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){0,3}(~[a-z0-9]+)?$")] | None = None
    #: The day of the release. It is every file's time in the image, and the earliest time that its clock shows.
    date: str | None = None
    overlays: list[Name] = []
    remove_overlays: list[Name] = []
    options: dict[Name, dict[OptionName, Any]] = {}
    packages: list[PackageName] = []
    kernel_command_line: list[KernelArgument] = []

    @field_validator("date")
    @classmethod
    def _is_a_day(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                datetime.date.fromisoformat(value)
            except ValueError:
                raise ValueError("is not a day (YYYY-MM-DD, in quotes)") from None
        return value


@dataclass(frozen=True)
class Setting:
    """A value that a recipe gives to an option, and where it stands."""

    value: Any
    document: Document
    location: Location

    def finding(self, message: str, **details: str | None) -> Finding:
        """Make a finding at the place of the setting."""
        return self.document.finding(self.location, message, **details)


@dataclass(frozen=True)
class Recipe:
    """A recipe with all that it extends merged in."""

    name: str
    title: str
    version: str
    date: str
    overlays: dict[str, Setting]
    options: dict[str, dict[str, Setting]]
    packages: tuple[str, ...]
    kernel_command_line: tuple[str, ...]


def list_recipes(folder: Path) -> dict[str, Path]:
    """Return the file of every recipe in `folder`, by name."""
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_recipe(name: str, folder: Path) -> Recipe:
    """Read the recipe `name` and those that it extends.

    :param name: of a recipe in `folder`; or the path of a recipe's file, ``….yaml``, anywhere else.
    :raises FindingsError: when one of them is not there or not valid, or extends itself.
    """
    known = list_recipes(folder)
    if name.endswith(".yaml"):
        own = Path(name)
        name = own.stem
        if re.fullmatch(NAME, name) is None:
            raise FindingsError([Finding(f"{name!r} can't be the name of a recipe", file=own, expected=f"/{NAME}/")])
        known |= {name: own}
    if name not in known:
        close = nearest(name, known)
        expected = None if close else f"one of {', '.join(known) or 'none, there are no recipes'}"
        raise FindingsError([Finding(f"no recipe {name!r}", file=folder, expected=expected, nearest=close)])
    chain: list[tuple[RecipeFile, Document]] = []
    seen: list[str] = []
    current: str | None = name
    while current is not None:
        seen.append(current)
        recipe_file, document = load_model(known[current], RecipeFile)
        chain.insert(0, (recipe_file, document))
        current = recipe_file.extends
        if current in seen:
            path = " -> ".join([*seen, current])
            raise FindingsError([document.finding(("extends",), f"makes a circle: {path}")])
        if current is not None and current not in known:
            message = f"no recipe {current!r}"
            raise FindingsError([document.finding(("extends",), message, nearest=nearest(current, known))])
    return _merge(name, chain)


def _merge(name: str, chain: list[tuple[RecipeFile, Document]]) -> Recipe:
    recipe = Recipe(name, "", "", "", {}, {}, (), ())
    findings: list[Finding] = []
    for file, document in chain:
        overlays = dict(recipe.overlays)
        for index, overlay in enumerate(file.remove_overlays):
            if overlays.pop(overlay, None) is None:
                where = ("remove_overlays", index)
                close = nearest(overlay, recipe.overlays)
                findings.append(document.finding(where, f"{overlay!r} is not in the recipe", nearest=close))
        for index, overlay in enumerate(file.overlays):
            overlays.setdefault(overlay, Setting(overlay, document, ("overlays", index)))
        options = {overlay: dict(values) for overlay, values in recipe.options.items() if overlay in overlays}
        for overlay, values in file.options.items():
            for key, value in values.items():
                setting = Setting(value, document, ("options", overlay, key))
                options.setdefault(overlay, {})[key] = setting
        recipe = replace(
            recipe,
            title=file.title,
            version=file.version or recipe.version,
            date=file.date or recipe.date,
            overlays=overlays,
            options=options,
            packages=recipe.packages + tuple(file.packages),
            kernel_command_line=recipe.kernel_command_line + tuple(file.kernel_command_line),
        )
    document = chain[-1][1]
    findings += [
        document.finding((key,), "is missing, here and in what the recipe extends")
        for key in ("version", "date")
        if not getattr(recipe, key)
    ]
    if findings:
        raise FindingsError(findings)
    return recipe
