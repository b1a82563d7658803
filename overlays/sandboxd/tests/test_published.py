"""What is made from the code and published beside it is current."""

import json
from collections.abc import Callable

import pytest
from tau.man_pages import PAGES
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
        *((f"docs/man/{name}", made, f"python3 -m tau.man_pages {name}") for name, made in PAGES.items()),
    ],
)
def test_it_is_current(path: str, made: Callable[[], str], command: str) -> None:
    current = (ROOT / path).read_text() == made()
    assert current, f"PYTHONPATH=overlays/sandboxd/src {command} >{path}"
