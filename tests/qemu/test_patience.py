"""Waits on a slow host."""

from qemu.patience import MOST, USUAL, Patience


def test_waits_are_as_asked_for_until_a_boot_was_slow() -> None:
    patience = Patience()
    patience.learn(USUAL / 10)
    assert patience.of(60) == 60
    patience.learn(USUAL * 2)
    assert patience.of(60) == 120
    patience.learn(USUAL)  # a reboot in a quiet moment
    assert patience.of(60) == 120


def test_nothing_is_waited_for_for_ever() -> None:
    patience = Patience()
    patience.learn(USUAL * 1000)
    assert patience.of(1) == MOST
