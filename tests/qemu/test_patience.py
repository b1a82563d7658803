"""Waits on a slow host."""

from qemu.patience import GENEROSITY, MOST, USUAL, Patience


def test_waits_are_longer_where_a_boot_was_slow() -> None:
    patience = Patience()
    patience.learn(USUAL / 10)
    assert patience.of(60) == 60 * GENEROSITY
    patience.learn(USUAL * 2)
    assert patience.of(60) == 120 * GENEROSITY
    patience.learn(USUAL)  # a reboot in a quiet moment
    assert patience.of(60) == 120 * GENEROSITY


def test_whoever_waits_in_vain_waits_as_long_as_was_asked_for() -> None:
    patience = Patience()
    patience.generosity = 1
    assert patience.of(60) == 60


def test_nothing_is_waited_for_for_ever() -> None:
    patience = Patience()
    patience.learn(USUAL * 1000)
    assert patience.of(1) == MOST
