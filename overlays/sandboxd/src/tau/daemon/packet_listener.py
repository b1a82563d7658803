"""Hear of what apps send that nobody has decided on, and have it decided."""

import asyncio
import contextlib
import functools
import socket

from tau import running
from tau.daemon import helper
from tau.daemon.consent import Consent
from tau.daemon.helper import HelperError
from tau.daemon.packets import MOST_BYTES, Attempt, attempts
from tau.daemon.store import StoreError

#: Seconds until the kernel is asked again, when it has said no: the last one of us may not be gone yet.
_AGAIN = 2


class PacketListener:
    """Has the kernel tell it. Who was not heard is heard a second later: connections are tried again each second."""

    def __init__(self, consent: Consent) -> None:
        self._consent = consent
        self._heard: dict[tuple[int, str], asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Listen as soon as that is possible, and from then on."""
        while True:
            try:
                connection = await asyncio.to_thread(helper.listen)
                break
            except HelperError as error:
                print(f"what apps send is not heard of yet: {error.reason}", flush=True)
                await asyncio.sleep(_AGAIN)
        connection.setblocking(False)
        asyncio.get_running_loop().add_reader(connection, self._receive, connection)

    def _receive(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(MOST_BYTES)
        except OSError:  # more came than there was room for
            return
        for attempt in attempts(data):
            key = (attempt.link, attempt.permission)
            if key not in self._heard:
                task = asyncio.ensure_future(self._decide(attempt))
                self._heard[key] = task
                task.add_done_callback(functools.partial(self._forget, key))

    def _forget(self, key: tuple[int, str], task: asyncio.Task[None]) -> None:
        self._heard.pop(key, None)

    async def _decide(self, attempt: Attempt) -> None:
        whose = running.of_link(attempt.link)
        if whose is None:
            return
        with contextlib.suppress(StoreError):  # it waits, and is heard again
            if await self._consent.hold.known(whose, attempt.permission) is None:
                await self._consent.ask(whose, attempt.permission, attempt.detail)
            else:
                # The firewall does not know: it was loaded anew.
                await self._consent.hold.hold(whose, attempt.permission)
