"""What the tests of the build system share."""

from pathlib import Path

import pytest

from tests.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one recipe ``r`` and no overlay in it yet."""
    made = Project(tmp_path)
    (tmp_path / "overlays").mkdir()
    made.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a]\n')
    return made
