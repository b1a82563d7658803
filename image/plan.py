"""The Plan: everything that is decided about an image, as plain data, shipped in the image (:data:`PLAN_PATH`)."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from image.findings import Finding, FindingsError
from image.options import Value
from image.overlay import Architecture

#: Where an image of ours keeps its plan.
PLAN_PATH = "/usr/lib/tau/plan.json"
#: Where the Python packages of overlays lie. Programs of ours name it; Python itself does not look there.
PYTHON_PATH = "/usr/lib/tau/python"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanOverlay(_Part):
    """One overlay of the image, in the order in which they are laid."""

    name: str
    title: str
    rows: list[int]
    options: dict[str, Value]


class PlanUnits(_Part):
    """What is done with the image's units, as unit names."""

    enable: list[str]
    disable: list[str]
    mask: list[str]


class PlanFile(_Part):
    """One file that an overlay lays over the image. `mode` is octal text, `sha256` is of the rendered content."""

    path: str
    mode: Annotated[str, Field(pattern=r"^[0-7]{4}$")]
    owner: str
    group: str
    overlay: str
    sha256: str


class PlanState(_Part):
    """A path below /etc that the running system may write."""

    path: str
    overlay: str
    reason: str


class Plan(_Part):
    """The contract between the build and everything after it.

    `rows` maps a row of the security model to the overlays that serve it. `seed` is the UUID from which the
    partitions' UUIDs are derived, `date` the day (ISO 8601) of every time stamp in the image.
    """

    format: Literal[1] = 1
    name: Literal["tau"] = "tau"
    version: str
    date: str
    arch: Architecture
    recipe: str
    title: str
    seed: str
    overlays: list[PlanOverlay]
    packages: list[str]
    kernel_command_line: list[str]
    units: PlanUnits
    user_units: PlanUnits
    remove: list[str]
    links: dict[str, str]
    state: list[PlanState]
    rows: dict[int, list[str]]
    files: list[PlanFile]

    @property
    def stem(self) -> str:
        """The start of every artefact's file name."""
        name = self.name if self.recipe == self.name else self.recipe
        return f"{name}_{self.version}_{self.arch}"

    def to_json(self) -> str:
        """Return the plan as JSON: the same plan is always the same text."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def fingerprint(self) -> str:
        """Return the SHA-256 of the plan, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def overlay(self, name: str) -> PlanOverlay | None:
        """Return the overlay `name`, or None when the image is built without it."""
        return next((overlay for overlay in self.overlays if overlay.name == name), None)


def read_plan(text: str | bytes, source: Path) -> Plan:
    """Parse a plan.

    :param source: where it came from, for the error.
    :raises FindingsError: when it is no plan of a format that this version knows.
    """
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or None
        raise FindingsError([Finding(f"is not a plan: {first['msg']}", file=source, key=where)]) from None
