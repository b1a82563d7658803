"""Whether it is any use to wait on: a guest that has died is noticed in seconds, not when the time is over."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from qemu.errors import MachineError

#: Seconds of silence after a kernel panic before it counts as the end: some kernels reboot after one.
PATIENCE = 20.0
#: States of query-status (QMP) that a guest never leaves by itself.
_DEAD = {"internal-error": "QEMU stopped the guest for an internal error", "guest-panicked": "the guest panicked"}
_PANIC = re.compile(r"^.*Kernel panic - not syncing.*$", re.MULTILINE)


class Printed(Protocol):
    """A console, as far as it is needed here."""

    def mark(self) -> int:
        """The present position."""
        ...

    def since(self, mark: int) -> str:
        """What was printed after a position."""
        ...


class Vitals:
    """Watches one wait. It asks QEMU, and reads the console from where it was when the wait began."""

    def __init__(self, console: Printed, since: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._since = since
        self._clock = clock
        self._length = -1
        self._grew = clock()

    def death(self, ended: str | None, ask: Callable[[], Mapping[str, Any]]) -> str:
        """Return why the guest will never answer, or nothing while it may still.

        :param ended: QEMU's last words when it has ended, else None.
        :param ask: returns the answer of query-status.
        """
        if ended is not None:
            return f"QEMU ended: {ended or 'it was told to, or the guest powered off'}"
        try:
            status = ask()["status"]
        except MachineError as error:
            return str(error)
        if status in _DEAD:
            return _DEAD[status]
        length, now = self._console.mark(), self._clock()
        if length != self._length:
            self._length, self._grew = length, now
        elif now - self._grew >= PATIENCE:
            panic = list(_PANIC.finditer(self._console.since(self._since)))
            if panic:
                return f"the kernel stopped: {panic[-1][0].strip()}"
        return ""
