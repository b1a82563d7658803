"""Have the kernel hold to what is decided: what an instance may follows from the store, and from nothing else."""

import asyncio
import time
import weakref
from collections.abc import Awaitable, Callable

from tau import running
from tau.daemon import instances
from tau.daemon.store import StoreError
from tau.daemon.store_thread import StoreThread
from tau.permissions import PERMISSIONS, names_of
from tau.running import Running
from tau.wire import Decision as Live

#: Seconds between two lines of the journal about a store that fails.
_SAID_EVERY = 60


class Hold:
    """Says what is decided of an instance, and has it done, one change of an instance after the other.

    :param apply: has the kernel hold to a decision on a permission of an instance's; whether that was possible.
    """

    def __init__(self, kept: StoreThread, apply: Callable[[Running, str, Live], Awaitable[bool]]) -> None:
        self._kept = kept
        self._apply = apply
        self._locks: weakref.WeakValueDictionary[int, asyncio.Lock] = weakref.WeakValueDictionary()
        self._said = 0.0

    async def known(self, instance: Running, permission: str) -> bool | None:
        """Return what is decided of an instance's permission, or None when its user is to be asked.

        :raises StoreError: when that can't be known.
        """
        if permission not in names_of(instance.permissions) or (PERMISSIONS[permission].zone and not instance.link):
            return False
        try:
            decided = await self._kept.do(self._kept.store.decided, instance, instances.token(instance))
        except StoreError as error:
            self._tell(instance, error)
            raise
        return decided[permission].allowed if permission in decided else None

    async def hold(self, instance: Running, permission: str, undecided: Live = Live.ASK) -> Live | None:
        """Have the kernel hold to what is decided by now; returns what that is, or None when it can't be had.

        Whoever calls it has kept a decision before: so the last one that is kept is the last one that is applied.
        With a store that fails nothing is let through, until it can be read and somebody asks again.

        :param undecided: what holds when nothing is decided.
        """
        async with self._locks.setdefault(instance.number, asyncio.Lock()):
            try:
                known = await self.known(instance, permission)
            except StoreError:
                await self._apply(instance, permission, Live.ASK)
                return None
            live = undecided if known is None else Live.ALLOW if known else Live.REFUSE
            if running.holds(instance, permission, allowed=live == Live.ALLOW):
                return live
            return live if await self._apply(instance, permission, live) else None

    async def hold_all(self, found: list[Running]) -> None:
        """Have it hold for instances that were there before this process, which may have had more to do."""
        for each in found:
            for permission in names_of(each.permissions):
                await self.hold(each, permission)

    def _tell(self, instance: Running, error: StoreError) -> None:
        if time.monotonic() - self._said > _SAID_EVERY:
            self._said = time.monotonic()
            print(f"{instance.name}: nothing is granted: what was granted {error}", flush=True)
