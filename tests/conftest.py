"""What the tests of the build system share."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.project import Project

# How long an example takes is the host's business: machines boot beside these tests.
settings.register_profile("tau", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tau")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one recipe ``r`` and no overlay in it yet."""
    made = Project(tmp_path)
    (tmp_path / "overlays").mkdir()
    made.recipe("r", 'title: R\nversion: "1"\ndate: "2026-01-02"\noverlays: [a]\n')
    return made
