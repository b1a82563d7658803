"""What a person asks for: the options that every task has which renders, builds or tests a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any


def _option(help: str, default: object = "") -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Request:
    """The words of a command line, not looked at yet. Each field is an option of its name, with its help beside it."""

    recipe: str = _option("the recipe to use (./inv recipes lists them), or the file of one of your own", "tau")
    arch: str = _option("x86_64 or aarch64; default: this host's")
    set: Sequence[str] = _option("overlay.option=value; may be given more than once", ())
    overlay_path: Sequence[str] = _option(
        "a folder with overlays of your own; may be given more than once, the first wins", ()
    )
    mirror: str = _option("the Debian archive to fetch packages from; default: what this host's apt uses")
    mkosi: str = _option("a mkosi of your own (the folder that holds its Python package)")

    def given(self) -> dict[str, object]:
        """Return the options that are not at their defaults."""
        values = {option.name: (getattr(self, option.name), option.default) for option in fields(self)}
        return {name: value for name, (value, default) in values.items() if value and value != default}
