"""What is made from the code and published beside it is current."""

import json
from collections.abc import Callable

import pytest
from tau.manifest_schema import schema
from tau.permissions_page import page

from tests.project import ROOT


@pytest.mark.parametrize(
    ("path", "made", "command"),
    [
        ("docs/permissions.md", page, "python3 -m tau.permissions_page"),
        (
            "docs/schemas/manifest.schema.json",
            lambda: json.dumps(schema(), indent=2) + "\n",
            "python3 -m tau manifest schema",
        ),
    ],
)
def test_it_is_current(path: str, made: Callable[[], str], command: str) -> None:
    current = (ROOT / path).read_text() == made()
    assert current, f"PYTHONPATH=overlays/sandboxd/src {command} >{path}"
