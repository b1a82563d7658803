"""What was likely meant by the name of an app or of a permission that is none."""

from collections.abc import Iterable

from tau.bus import Bus, BusError
from tau.bus_names import error_name
from tau.command_list import installed
from tau.findings import nearest, quoted
from tau.permissions import PERMISSIONS, wider_than
from tau.status import Status


def missing(app: str, bus: Bus) -> str:
    """Return what is said of an app that is not installed, and which may have been meant; empty when it is.

    :raises BusError: when sandboxd can't be asked.
    """
    here = installed(bus)
    return "" if app in here else f"is not installed{_meant(app, here)}"


def said(error: BusError, app: str) -> str:
    """Return what has been said of an app, and where that is not there, which may have been meant."""
    if error.name != error_name(Status.NOT_THERE):
        return error.message
    try:
        return error.message + _meant(app, installed(Bus()))
    except BusError:
        return error.message


def _meant(app: str, here: Iterable[str]) -> str:
    last = [each for each in here if each.rpartition(".")[2] == app]
    close = last[0] if last else nearest(app, here)
    return f"; did you mean {close}?" if close else "; `tau list` shows your apps"


def permission(wrong: str) -> str | None:
    """Return what is wrong with a permission's name, and which was likely meant; None when there is such a one."""
    if wrong in PERMISSIONS:
        return None
    close = wider_than(wrong) or nearest(wrong, PERMISSIONS)
    hint = f"did you mean {close}?" if close else f"there are {', '.join(PERMISSIONS)}"
    return f"{quoted(wrong)} is not a permission; {hint}"
