"""JSON schemas for editors, generated from the models."""

import json
from pathlib import Path

from pydantic import BaseModel

from image.findings import Finding, FindingsError
from image.overlay import Definition
from image.plan import Plan
from image.recipe import RecipeFile

#: The model of each schema, by its file name.
SCHEMAS: dict[str, type[BaseModel]] = {"overlay": Definition, "recipe": RecipeFile, "plan": Plan}


def write(folder: Path, *, check: bool) -> None:
    """Write ``NAME.schema.json`` of every model into `folder`.

    :param check: change nothing.
    :raises FindingsError: with `check`, for each schema that is not current.
    """
    findings = []
    for name, model in SCHEMAS.items():
        path = folder / f"{name}.schema.json"
        text = json.dumps(model.model_json_schema(), indent=2) + "\n"
        if path.is_file() and path.read_text() == text:
            continue
        if check:
            findings.append(Finding("is not current", file=path, hint="run ./inv schemas"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if findings:
        raise FindingsError(findings)
