"""A scratch project with recipes and overlays that a test writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from image.recipe import load_recipe
from image.render import Rendered
from image.resolve import resolve

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Project:
    """A folder with recipes/ and overlays/."""

    root: Path

    def recipe(self, name: str, text: str) -> Path:
        return self._write(self.root / "recipes" / f"{name}.yaml", text)

    def overlay(self, name: str, text: str = "", files: Mapping[str, str] = {}) -> Path:
        folder = self.root / "overlays" / name
        self._write(folder / "overlay.yaml", f"title: {name}\ndescription: An overlay of a test.\n{dedent(text)}")
        for path, content in files.items():
            self._write(folder / path, content)
        return folder

    def rendered(self, *settings: str, recipe: str = "r") -> Rendered:
        loaded = load_recipe(recipe, self.root / "recipes")
        return Rendered(resolve(loaded, [self.root / "overlays"], settings), "x86_64")

    def _write(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path
