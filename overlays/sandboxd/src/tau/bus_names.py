"""sandboxd on the system bus: its name, its object, its errors. The overlay's README.md describes the interface."""

from tau.status import Status

NAME = INTERFACE = "org.tauos.Sandbox1"
PATH = "/org/tauos/Sandbox1"
#: Seconds that a call may take: a large bundle is copied, and looked at by programs that are started for it.
CALL_SECONDS = 600


def error_name(status: Status) -> str:
    """Return the name of the bus error for a status: ``org.tauos.Sandbox1.Error.OtherSigner``."""
    return f"{NAME}.Error.{status.name.title().replace('_', '')}"
