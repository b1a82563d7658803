"""A wait ends early when the guest has died, and never while it may still answer."""

from collections.abc import Mapping
from typing import Any

import pytest

from qemu.errors import GuestDiedError
from qemu.vitals import PATIENCE, Vitals

PANIC = "[    3.1] Kernel panic - not syncing: VFS: Unable to mount root fs\n"


class Paper:
    """A console, and a clock beside it."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.now = 0.0

    def mark(self) -> int:
        return len(self.text)

    def since(self, mark: int) -> str:
        return self.text[mark:]

    def clock(self) -> float:
        return self.now


def asked(status: str) -> Any:
    return lambda: {"status": status}


def gone() -> Mapping[str, Any]:
    raise GuestDiedError("QEMU ended while it was asked")


@pytest.mark.parametrize(
    ("ended", "ask", "reason"),
    [
        ("could not open disk image", asked("running"), "QEMU ended: could not open disk image"),
        ("", asked("running"), "QEMU ended: it was told to, or the guest powered off"),
        (None, gone, "QEMU ended while it was asked"),
        (None, asked("internal-error"), "QEMU stopped the guest for an internal error"),
        (None, asked("guest-panicked"), "the guest panicked"),
        (None, asked("running"), ""),
        (None, asked("paused"), ""),
    ],
)
def test_what_qemu_says_counts_at_once(ended: str | None, ask: Any, reason: str) -> None:
    paper = Paper()
    assert Vitals(paper, clock=paper.clock).death(ended, ask) == reason


def test_a_panic_counts_once_the_console_has_been_silent() -> None:
    paper = Paper("booting\n" + PANIC)
    vitals = Vitals(paper, clock=paper.clock)
    assert vitals.death(None, asked("running")) == ""
    paper.now = PATIENCE - 1
    assert vitals.death(None, asked("running")) == ""
    paper.now = PATIENCE
    assert "Unable to mount root fs" in vitals.death(None, asked("running"))


def test_a_guest_that_reboots_after_a_panic_is_waited_for() -> None:
    paper = Paper(PANIC)
    vitals = Vitals(paper, clock=paper.clock)
    vitals.death(None, asked("running"))
    for _ in range(10):
        paper.text += "more\n"
        paper.now += PATIENCE - 1
        assert vitals.death(None, asked("running")) == ""


def test_the_panic_of_an_earlier_boot_is_forgotten() -> None:
    paper = Paper(PANIC)
    vitals = Vitals(paper, since=paper.mark(), clock=paper.clock)
    vitals.death(None, asked("running"))
    paper.now = 10 * PATIENCE
    assert vitals.death(None, asked("running")) == ""


def test_a_long_silence_alone_is_no_death() -> None:
    paper = Paper("Loading Linux\n")
    vitals = Vitals(paper, clock=paper.clock)
    vitals.death(None, asked("running"))
    paper.now = 10 * PATIENCE
    assert vitals.death(None, asked("running")) == ""
