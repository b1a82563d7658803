"""The time that an app runs, seen from `tau run`: bytes and signals go through, until its status comes."""

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable
from types import FrameType

from tau.agent import Agent
from tau.streams import Pump, Streams

#: What is handed on to the app, as it would get it without us.
_HANDED_ON = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
)
#: Milliseconds between attempts to hand a signal on to an app that is not there yet.
_RETRY = 100


class RelayError(Exception):
    """There is no exit status; the message follows the app's id."""


class Relay:
    """Stands between the caller and a running instance."""

    def __init__(self, streams: Streams, agent: Agent | None = None) -> None:
        self._streams = streams
        self._agent = agent
        self._signals: list[int] = []
        self._again = False
        #: Descriptors that can be read when there may be something else to do than to answer a question, and what says
        #: whether there is.
        self.ends: dict[int, Callable[[], bool]] = {}

    def run(self, kept: socket.socket, find: Callable[[], int | None]) -> int:
        """Carry on until the app has ended; returns its exit status.

        :param kept: the end of the ticket on which the status comes.
        :param find: returns the process that signals are for, when it is there.
        :raises RelayError: when it never began, or its end can't be known.
        """
        self._kept, self._find = kept, find
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wakeup = reading
        self.ends = {kept.fileno(): lambda: True, reading: self._interrupted}
        signal.set_wakeup_fd(writing)
        for number in _HANDED_ON:
            signal.signal(number, self._note)
        for number in (signal.SIGWINCH, signal.SIGCONT):
            signal.signal(number, self._look_again)
        self._streams.resize()
        self._streams.enter_terminal()
        try:
            while not self._ended(reading):
                self._hand_on()
            self._drain()
        finally:
            self._streams.leave_terminal()
        said = self._kept.recv(16)
        if self._streams.failure:
            raise RelayError(f"what it wrote could not be handed on: {os.strerror(self._streams.failure)}")
        if not said:
            raise RelayError("is out of sight: what waited for its end has been ended; `tau ps` shows whether it runs")
        if not said.isdigit():
            raise RelayError("could not be started; `tau log` may say why")
        return int(said)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _look_again(self, number: int, frame: FrameType | None) -> None:
        self._again = True

    def _ended(self, wakeup: int) -> bool:
        """Wait for the next thing, and carry it; True when the status is there."""
        poll = select.poll()
        poll.register(self._kept, select.POLLIN)
        poll.register(wakeup, select.POLLIN)
        if self._agent and self._agent.connection:
            poll.register(self._agent.connection, select.POLLIN)
        waiting: dict[int, list[Pump]] = {}
        for pump in self._active():
            descriptor = pump.sink if pump.pending else pump.source
            waiting.setdefault(descriptor, []).append(pump)
        for descriptor, pumps in waiting.items():
            # The app's terminal is both: what it writes, and where keys go.
            events = (select.POLLOUT if any(pump.pending for pump in pumps) else 0) | (
                select.POLLIN if any(not pump.pending for pump in pumps) else 0
            )
            poll.register(descriptor, events)
        for descriptor, events in poll.poll(_RETRY if self._signals else None):
            if descriptor == self._kept.fileno():
                return True
            if descriptor == wakeup:
                os.read(wakeup, 4096)
                continue
            if descriptor not in waiting:
                self._asked()
                return False
            for pump in waiting[descriptor]:
                if pump.pending and events & ~select.POLLIN:
                    pump.write()
                elif not pump.pending and events & ~select.POLLOUT:
                    pump.read()
        return False

    def _interrupted(self) -> bool:
        """Whether what has come is a signal that is the app's; that the window has another size is no answer."""
        os.read(self._wakeup, 4096)
        return bool(self._signals)

    def _asked(self) -> None:
        """Put a question to the user. What the app writes waits meanwhile, and keys are none of its business."""
        self._streams.leave_terminal()
        if self._agent:
            self._agent.serve()
        self._again = True

    def _active(self) -> list[Pump]:
        """The pumps that have something to do. Keys are left to others while they are not the app's."""
        return [
            pump
            for pump in self._streams.pumps
            if (not pump.ended or pump.pending) and (pump.sink != self._streams.master or self._streams.reads_keys)
        ]

    def _hand_on(self) -> None:
        if self._again:
            self._again = False
            self._streams.enter_terminal()  # brought to the foreground
            self._streams.resize()
        process = self._find() if self._signals else None
        while self._signals and process:
            with contextlib.suppress(ProcessLookupError):  # it has ended: so will this
                os.kill(process, self._signals[0])
            del self._signals[0]

    def _drain(self) -> None:
        """Hand on what the app has written before it ended."""
        for pump in self._streams.pumps:
            if pump.sink not in (0, 1, 2):
                continue
            while pump.pending or not pump.ended:
                if not pump.pending:
                    pump.read()
                if not pump.pending:
                    break
                pump.write()
