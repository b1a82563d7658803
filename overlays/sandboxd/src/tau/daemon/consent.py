"""Decide whether an instance may: by what its user has decided already, or by asking them. Nothing else is a yes."""

import asyncio
import contextlib
import time
from typing import Any, NamedTuple

from tau.daemon import instances
from tau.daemon.agents import Agents
from tau.daemon.hold import Hold
from tau.daemon.store import StoreError
from tau.daemon.store_thread import StoreThread
from tau.decisions import Decision
from tau.running import Running
from tau.wire import Decision as Live

#: Seconds that a question stands, and that one may wait for others to be answered; a resolver waits 150 (resolv.conf of
#: apps), and a connection for longer.
ANSWER_SECONDS, _MOST_SECONDS = 120, 1800
#: Seconds that an instance is not asked for again after nobody has answered: twice as long each time, and at most.
_QUIET, _MOST_QUIET = 30, 3600
#: Most questions of one user that wait for the one that is shown.
_MOST_WAITING = 16


class _Quiet(NamedTuple):
    until: float
    seconds: float


class Consent:
    """Asks, keeps the answer, and has it done."""

    def __init__(self, kept: StoreThread, agents: Agents, hold: Hold) -> None:
        self._kept = kept
        self._agents = agents
        self.hold = hold
        self._asking: dict[tuple[str, str], asyncio.Task[bool]] = {}
        self._answered: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._turns: dict[int, asyncio.Lock] = {}
        self._waiting: dict[int, int] = {}
        self._background: set[asyncio.Future[Live | None]] = set()
        self._quiet: dict[tuple[str, str], _Quiet] = {}

    async def permit(self, instance: Running, permission: str, detail: str) -> bool:
        """Return whether an instance may now; its user is asked when they have not decided.

        :param detail: what it wants to reach, for the user.
        :raises StoreError: when what they have decided can't be known.
        """
        known = await self.hold.known(instance, permission)
        return await self.ask(instance, permission, detail) if known is None else known

    async def ask(self, instance: Running, permission: str, detail: str) -> bool:
        """Have a user asked who has not decided; returns whether the instance may now."""
        key = (instance.name, permission)
        if key not in self._asking:
            quiet = self._quiet.get(key)
            if quiet and time.monotonic() < quiet.until:
                return False
            task = asyncio.ensure_future(self._ask(instance, permission, detail))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(self._asking[key])

    async def settle(self, instance: Running, permission: str) -> Live | None:
        """Have it hold that a user has decided by other means, a question that stands included.

        :returns: what holds, or None when it can't be had.
        """
        key = (instance.name, permission)
        self._quiet.pop(key, None)
        held = await self.hold.hold(instance, permission)
        answered = self._answered.get(key)
        if answered is not None and not answered.done():
            answered.set_result(None)
        return held

    async def _ask(self, instance: Running, permission: str, detail: str) -> bool:
        key, uid = (instance.name, permission), instance.uid
        if self._waiting.get(uid, 0) >= _MOST_WAITING:
            return await self._unanswered(instance, permission)
        self._waiting[uid] = self._waiting.get(uid, 0) + 1
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answered[key] = settled
        asking = asyncio.ensure_future(self._in_turn(instance, permission, detail))
        kept = False
        try:
            first: set[asyncio.Future[Any]] = {asking, settled}
            await asyncio.wait(first, timeout=_MOST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and not settled.done():
                kept = asking.result()
        finally:
            asking.cancel()
            self._waiting[uid] -= 1
            if not self._waiting[uid]:
                del self._waiting[uid]
            del self._answered[key]
        if kept or settled.done():
            self._quiet.pop(key, None)
            return await self.hold.hold(instance, permission) == Live.ALLOW
        return instances.runs(instance) and await self._unanswered(instance, permission)

    async def _in_turn(self, instance: Running, permission: str, detail: str) -> bool:
        """Put one question at a time to a user, and none that another answer has decided; whether it is decided now."""
        async with self._turns.setdefault(instance.uid, asyncio.Lock()):
            with contextlib.suppress(StoreError):  # it is told when the answer can't be kept
                if await self.hold.known(instance, permission) is not None:
                    return True
            asking = self._agents.ask(instance.uid, instance.name, instance.app, permission, detail)
            with contextlib.suppress(TimeoutError):
                decision = await asyncio.wait_for(asking, ANSWER_SECONDS)
                return decision is not None and await self._keep(instance, permission, decision)
            return False

    async def _keep(self, instance: Running, permission: str, decision: Decision) -> bool:
        # The app may have ended, and been removed, while the question stood: nothing is kept for what comes after it.
        if not instances.runs(instance):
            return False
        try:
            token = instances.token(instance)
            await self._kept.do(self._kept.store.decide, instance, permission, decision, token, "asked")
        except StoreError as error:
            print(f"{instance.name}: nothing is granted: what was granted {error}", flush=True)
            return False
        return True

    async def _unanswered(self, instance: Running, permission: str) -> bool:
        """Nobody has answered: no, for a while, and nothing is kept."""
        key, now = (instance.name, permission), time.monotonic()
        last = self._quiet.get(key, _Quiet(now, _QUIET / 2))
        quiet = _Quiet(0, min(last.seconds * 2, _MOST_QUIET))
        self._quiet = {other: each for other, each in self._quiet.items() if each.until > now - _MOST_QUIET}
        self._quiet[key] = quiet._replace(until=now + quiet.seconds)
        asyncio.get_running_loop().call_later(quiet.seconds, self._listen_again, instance, permission)
        return await self.hold.hold(instance, permission, Live.REFUSE) == Live.ALLOW

    def _listen_again(self, instance: Running, permission: str) -> None:
        """Let an instance ask again, unless its user has decided meanwhile."""
        quiet = self._quiet.get((instance.name, permission))
        if quiet and quiet.until <= time.monotonic() + 1 and instances.runs(instance):
            task = asyncio.ensure_future(self.hold.hold(instance, permission))
            self._background.add(task)
            task.add_done_callback(self._background.discard)
