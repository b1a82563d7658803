"""The JSON schemas tell an editor what each key of somebody's file is for."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from image.models import Strict
from image.schemas import SCHEMAS

#: The schemas of files that people write; the plan is written by us.
WRITTEN = [name for name, model in SCHEMAS.items() if issubclass(model, Strict)]


def keys(model: type[BaseModel]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that a schema knows, on every level, by the model that it is of."""
    schema = model.model_json_schema()
    for name, part in {model.__name__: schema, **schema.get("$defs", {})}.items():
        for key, value in part.get("properties", {}).items():
            yield f"{name}.{key}", value


def test_what_people_write_is_looked_at() -> None:
    assert WRITTEN == ["overlay", "recipe"]
    found = {key for name in WRITTEN for key, _ in keys(SCHEMAS[name])}
    assert {"Definition.title", "State.reason", "ListOption.max_items", "RecipeFile.extends"} <= found


@pytest.mark.parametrize("name", WRITTEN)
def test_every_key_is_described(name: str) -> None:
    bare = [key for key, value in keys(SCHEMAS[name]) if len(value.get("description", "")) < 10]
    assert bare == []
