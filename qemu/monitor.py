"""QMP, QEMU's control channel: the project's own client (qemu.qmp) behind blocking calls.

The client is asyncio; tests are not. One thread runs its loop and collects events.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

from qemu.qmp import EventListener, ExecInterruptedError, QMPClient, QMPError
from qemu.qmp.qmp_client import ExecuteError

from qemu.errors import GuestDiedError, GuestSilentError, MachineError
from qemu.patience import patience

Event = Mapping[str, Any]


class Monitor:
    """A QMP connection to one QEMU process."""

    def __init__(self, socket: Path, timeout: float = 20.0) -> None:
        """Connect, waiting up to timeout seconds for QEMU to open the socket.

        Raises:
            GuestSilentError: QEMU did not open it in time.
        """
        self._events: list[Event] = []
        self._arrived = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qmp", daemon=True)
        self._thread.start()
        self._client = QMPClient("tau")
        self._listener = EventListener()
        self._client.register_listener(self._listener)
        timeout = patience.of(timeout)
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._call(self._client.connect(str(socket)), 10)
                break
            except (QMPError, OSError) as error:
                if time.monotonic() > deadline:
                    self._stop_loop()
                    raise GuestSilentError(f"QEMU did not open its monitor within {timeout:.0f} s: {error}") from error
                time.sleep(0.05)
        self._watch = asyncio.run_coroutine_threadsafe(self._collect(), self._loop)

    def _call(self, coroutine: Any, timeout: float) -> Any:
        timeout = patience.of(timeout)
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        except FutureTimeout:
            future.cancel()
            raise GuestSilentError(f"QEMU's monitor did not answer within {timeout:.0f} s") from None

    async def _collect(self) -> None:
        async for event in self._listener:
            with self._arrived:
                self._events.append(dict(event))
                self._arrived.notify_all()

    def execute(self, command: str, arguments: Mapping[str, object] | None = None, timeout: float = 60.0) -> Any:
        """Run one QMP command and return its result.

        Raises:
            GuestDiedError: QEMU is gone.
            MachineError: QEMU refused the command, with its reason.
        """
        try:
            return self._call(self._client.execute(command, dict(arguments or {})), timeout)
        except ExecuteError as error:
            raise MachineError(f"QEMU refused {command}: {error}") from error
        except (ExecInterruptedError, QMPError, OSError) as error:
            raise GuestDiedError(f"QEMU ended while it was asked for {command}") from error

    def mark(self) -> int:
        """A position in the stream of events, for `wait`."""
        with self._arrived:
            return len(self._events)

    def events(self, since: int = 0) -> list[Event]:
        """The events that came after a mark."""
        with self._arrived:
            return self._events[since:]

    def wait(self, *names: str, since: int = 0, timeout: float) -> Event | None:
        """The first event with one of the names after the mark, or None when timeout seconds have passed."""
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                for event in self._events[since:]:
                    if event["event"] in names:
                        return event
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._arrived.wait(left)

    def job(self, command: str, arguments: Mapping[str, object], job_id: str, timeout: float) -> None:
        """Run a command that works as a job, and wait for its end.

        Raises:
            MachineError: the job ended with an error.
        """
        self.execute(command, {"job-id": job_id, **arguments}, timeout)
        deadline = time.monotonic() + timeout
        while True:
            jobs = [job for job in self.execute("query-jobs") if job["id"] == job_id]
            if not jobs or jobs[0]["status"] == "concluded":
                break
            if time.monotonic() > deadline:
                raise GuestSilentError(f"{command} did not end within {timeout:.0f} s")
            time.sleep(0.05)
        if jobs:
            self.execute("job-dismiss", {"id": job_id})
            if jobs[0].get("error"):
                raise MachineError(f"{command}: {jobs[0]['error']}")

    def close(self) -> None:
        """Disconnect; QEMU itself goes on."""
        self._watch.cancel()
        # QEMU may have closed the connection first, as it does when it ends.
        with contextlib.suppress(MachineError, QMPError, OSError, EOFError, asyncio.CancelledError, FutureTimeout):
            self._call(self._client.disconnect(), 5)
        self._stop_loop()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()
