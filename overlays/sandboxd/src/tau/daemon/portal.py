"""Where apps ask for what their manifest declares (the socket of tau-portal.socket; :mod:`tau.portal`).

Who asks is said by the kernel alone: the process that connected is in the control group of one unit, which no app can
leave, and a message names nothing but a permission.
"""

import asyncio
import collections
import contextlib
import socket
import time

from tau import ticket
from tau.daemon import instances
from tau.daemon.consent import Consent
from tau.daemon.store import StoreError
from tau.helper import instance
from tau.permissions import PERMISSIONS, names_of
from tau.portal import ALLOWED, MOST_BYTES, REFUSED, UNDECLARED
from tau.running import Running
from tau.wire import Decision as Live

#: Most connections of one instance, and of one user's.
_MOST_OF_ONE, _MOST_OF_USER = 4, 200
#: Seconds between two answers to one instance: each costs a look at what was decided.
_BETWEEN = 0.1


class Portal:
    """Answers one question after the other on each connection."""

    def __init__(self, consent: Consent) -> None:
        self._consent = consent
        self._connected: collections.Counter[str] = collections.Counter()
        self._of_user: collections.Counter[int] = collections.Counter()
        self._next: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, sockets: list[socket.socket]) -> None:
        """Answer on each of them from now on."""
        for each in sockets:
            each.setblocking(False)
            asyncio.get_running_loop().add_reader(each, self._accept, each)

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        who = whose(connection)
        if who is None or self._connected[who.name] >= _MOST_OF_ONE or self._of_user[who.uid] >= _MOST_OF_USER:
            connection.close()
            return
        self._connected[who.name] += 1
        self._of_user[who.uid] += 1
        task = asyncio.ensure_future(self._answer(connection, who))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: socket.socket, who: Running) -> None:
        loop = asyncio.get_running_loop()
        try:
            with connection, contextlib.suppress(OSError):
                connection.setblocking(False)
                while asked := await loop.sock_recv(connection, MOST_BYTES):
                    permission = asked.decode(errors="replace")
                    await self._turn(who)
                    if permission not in names_of(who.permissions):
                        connection.send(UNDECLARED)
                    else:
                        connection.send(ALLOWED if await self._permits(who, permission) else REFUSED)
        finally:
            self._connected[who.name] -= 1
            self._of_user[who.uid] -= 1
            # Those that are zero are not kept.
            self._connected += collections.Counter()
            self._of_user += collections.Counter()

    async def _turn(self, who: Running) -> None:
        """Wait as long as it takes that one instance asks no more often than it may."""
        now = time.monotonic()
        self._next = {name: moment for name, moment in self._next.items() if moment > now}
        moment = self._next.get(who.name, now)
        self._next[who.name] = moment + _BETWEEN
        await asyncio.sleep(moment - now)

    async def _permits(self, who: Running, permission: str) -> bool:
        try:
            allowed = await self._consent.permit(who, permission, "")
        except StoreError:  # the journal has it
            return False
        if not allowed or not PERMISSIONS[permission].attached:
            return allowed
        # Decided is not there yet: a device is attached when it is asked for, and the last attempt may have failed.
        return await self._consent.hold.hold(who, permission) == Live.ALLOW


def whose(connection: socket.socket) -> Running | None:
    """Return the instance whose process has connected, or None when it is none's."""
    try:
        group = ticket.control_group(connection)
    except (OSError, ticket.TicketError):
        return None
    found = instances.of_name(group.rpartition("/")[2].removesuffix(".service"))
    own = instance.control_group(f"{found.name}.service").relative_to(instance.ROOT) if found else None
    return found if group == f"/{own}" else None
