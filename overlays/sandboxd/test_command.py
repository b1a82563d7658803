"""What helps whoever types: words are completed, and the manual pages are there."""

from collections.abc import Callable

import pytest

from overlays.sandboxd.conftest import APP
from qemu.machine import Machine
from qemu.terminal import Terminal
from tests.project import ROOT

pytestmark = [pytest.mark.row(10), pytest.mark.destructive, pytest.mark.xdist_group("apps")]


@pytest.fixture
def start(installed: Callable[..., str]) -> str:
    """An app that asks for the network; the command that starts it."""
    return installed("network")


def test_words_are_completed(user: Terminal, start: str) -> None:
    """By the user's own shell: a command, the id of an app that they have, and what that asks for."""
    user.run("tau permi\tden\torg.exam\tnet\t", 60)
    assert f"{APP}  network  denied always" in user.succeed("tau permissions list", 60)


@pytest.mark.parametrize("page", ["man1/tau.1", "man5/manifest.tau.5"])
def test_a_manual_page_is_there(machine: Machine, page: str) -> None:
    """The one that is published, so that it is of this very command."""
    published = (ROOT / "docs/man" / page.partition("/")[2]).read_text()
    assert machine.succeed(f"cat /usr/share/man/{page}") == published.strip()
