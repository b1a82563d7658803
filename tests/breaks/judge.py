"""Whether a check failed as it should: by an expectation of its own, for the stated reason."""

import re
from pathlib import Path

import pytest

from qemu.errors import MachineError, UncleanBootError

#: What a check calls to wait for something that should happen. Its time being over says that it did not.
_WAITS = {"wait_until", "expect", "wait_for", "answer"}
#: What a check calls to boot; a boot that is not clean is its finding, one that hangs is not.
_BOOTS = {"boot", "reboot"}


class NotSeenError(Exception):
    """The check did not fail as it should; the message says what happened instead."""


def seen(error: Exception, check: Path, says: str) -> str:
    """Return what the check said when it failed.

    :param check: the file of the check.
    :param says: a regular expression for the statement that failed, or for what it said.
    :raises NotSeenError: when the error is none of the check's own, or has another reason.
    """
    entries = list(pytest.ExceptionInfo.from_exception(error).traceback)
    own = [number for number, entry in enumerate(entries) if Path(str(entry.path)) == check]
    if not own:
        raise NotSeenError(f"it failed before the check began: {error!r}")
    last = own[-1]
    called = entries[last + 1].name if last + 1 < len(entries) else ""
    if isinstance(error, UncleanBootError):
        its_own = called in _BOOTS
    else:
        its_own = isinstance(error, AssertionError) or (isinstance(error, MachineError) and called in _WAITS)
    said = f"{error}".strip()
    if not its_own:
        raise NotSeenError(f"the harness failed, not the check: {type(error).__name__}: {said}")
    statement = str(entries[last].statement).strip()
    if not re.search(says, f"{statement}\n{said}"):
        raise NotSeenError(f"it failed for another reason than /{says}/:\n{statement}\n{said}")
    return said or statement
