"""A recipe: what can be built. It names overlays and sets their options, and may extend another recipe."""

import datetime
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from image.findings import Finding, right_name
from image.models import NAME, KernelArgument, Line, Loaded, Name, OptionName, PackageName, Strict, load_model
from image.source import Document, Location


class RecipeFile(Strict):
    """The content of a recipes/NAME.yaml."""

    title: Line
    """What the image is, in one line."""
    extends: Name | None = None
    """The recipe that this one starts from: a name in recipes/. What it has is kept, unless it is changed here."""
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){0,3}(~[a-z0-9]+)?$")] | None = None
    """IMAGE_VERSION in os-release(5), and part of file names: in quotes, like "1.0"."""
    date: str | None = None
    """The day of the release, "YYYY-MM-DD": every file's time in the image, and the earliest that its clock shows."""
    overlays: list[Name] = []
    """The overlays of the image, in the order in which they are laid (what one requires comes before it)."""
    remove_overlays: list[Name] = []
    """Overlays of the recipe that this one extends, which it does without."""
    options: dict[Name, dict[OptionName, Any]] = {}
    """Values for options: by overlay, then by option. `./inv overlays --name OVERLAY` shows which there are."""
    packages: list[PackageName] = []
    """Debian packages besides those that the overlays bring."""
    kernel_command_line: list[KernelArgument] = []
    """Words of the kernel command line besides those of the overlays, like "console=ttyS0"."""

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

    def place(self, finding: Finding) -> Finding:
        """Return `finding`, at the place of the setting."""
        return self.document.place(self.location, finding)


@dataclass(frozen=True)
class Recipe:
    """A recipe with all that it extends merged in, as far as it can be read.

    :param findings: what is wrong in it. `version` and `date` may then be empty.
    :param overlays_known: whether `overlays` are those that were meant.
    """

    name: str
    title: str
    version: str
    date: str
    overlays: dict[str, Setting]
    options: dict[str, dict[str, Setting]]
    packages: tuple[str, ...]
    kernel_command_line: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    overlays_known: bool = True


def list_recipes(folder: Path) -> dict[str, Path]:
    """Return the file of every recipe in `folder`, by name."""
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_recipe(name: str, folder: Path) -> Recipe:
    """Read the recipe `name` and those that it extends. What is wrong in them is in its `findings`.

    :param name: of a recipe in `folder`; or the path of a recipe's file, ``….yaml``, anywhere else.
    """
    known = list_recipes(folder)
    if name.endswith(".yaml"):
        own = Path(name)
        name = own.stem
        if re.fullmatch(NAME, name) is None:
            return _nothing(Finding(f"{name!r} can't be the name of a recipe", file=own, expected=f"/{NAME}/"))
        known |= {name: own}
    if name not in known:
        expected, close = right_name(name, known)
        expected = expected if known else "one, and there are none"
        return _nothing(Finding(f"no recipe {name!r}", file=folder, expected=expected, nearest=close))
    chain: list[Loaded[RecipeFile]] = []
    findings: list[Finding] = []
    seen: list[str] = []
    current: str | None = name
    while current is not None:
        seen.append(current)
        loaded = load_model(known[current], RecipeFile)
        chain.insert(0, loaded)
        findings += loaded.findings
        current = loaded.model.extends
        if current in seen:
            path = " -> ".join([*seen, current])
            findings.append(loaded.document.finding(("extends",), f"makes a circle: {path}"))
        elif current is not None and current not in known:
            expected, close = right_name(current, known)
            where = loaded.document.finding
            findings.append(where(("extends",), f"no recipe {current!r}", expected=expected, nearest=close))
        else:
            continue
        return _merge(name, chain, findings, whole=False)
    return _merge(name, chain, findings, whole=True)


def _nothing(finding: Finding) -> Recipe:
    return Recipe("", "", "", "", {}, {}, (), (), (finding,), overlays_known=False)


def _merge(name: str, chain: list[Loaded[RecipeFile]], findings: list[Finding], *, whole: bool) -> Recipe:
    """Merge the files of a recipe, the one that extends all others last.

    :param whole: whether these are all.
    """
    doubtful = {key for loaded in chain for key in loaded.doubtful}
    overlays_known = whole and not doubtful & {"extends", "overlays", "remove_overlays"}
    recipe = Recipe(name, "", "", "", {}, {}, (), ())
    for loaded in chain:
        file, document = loaded.model, loaded.document
        overlays = dict(recipe.overlays)
        for overlay in file.remove_overlays:
            if overlays.pop(overlay, None) is None and overlays_known:
                where = document.item("remove_overlays", overlay)
                expected, close = right_name(overlay, recipe.overlays)
                message = f"{overlay!r} is not in the recipe"
                findings.append(document.finding(where, message, expected=expected, nearest=close))
        for overlay in file.overlays:
            overlays.setdefault(overlay, Setting(overlay, document, document.item("overlays", overlay)))
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
    findings += [
        chain[-1].document.finding((key,), "is missing, here and in what the recipe extends")
        for key in ("version", "date")
        if not getattr(recipe, key) and whole and not doubtful & {key, "extends"}
    ]
    return replace(recipe, findings=tuple(findings), overlays_known=overlays_known)
