"""Whether this is a Tau OS: authors have the command elsewhere, too, where it checks and packs."""

import os

#: What each image with sandboxd has; in an app it is there, too, whose /usr is the system's.
_PART = "/usr/lib/tau/sandboxd"
#: Said in the place of what failed for this reason.
NO_TAU_OS = "this is no Tau OS, which is where apps are installed and run; here, tau can check and pack them"


def is_tau_os() -> bool:
    """Whether apps can be installed and run here."""
    return os.path.exists(_PART)  # noqa: PTH110 - each start of an app imports this, and pathlib is not there for all
