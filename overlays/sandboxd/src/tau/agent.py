"""The user's end of sandboxd's questions: a socket that is a ticket; the kernel says whose session it is from."""

import contextlib
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from tau import ticket
from tau.bus import Bus, BusError
from tau.pick import pick
from tau.user_folders import FolderError

#: Longest message, in bytes.
_MOST_BYTES = 2048
#: What is answered where nobody can be asked, and where nobody has answered.
ELSEWHERE, DISMISSED = "elsewhere", "dismissed"
#: How often, and after how many seconds, sandboxd is told anew that we are there, once it has gone.
_ATTEMPTS, _BETWEEN = 3, 0.5


class Question(NamedTuple):
    """What sandboxd asks: whether an app may.

    :param detail: what it wants to reach.
    """

    number: int
    app: str
    permission: str
    detail: str


class Agent:
    """Receives questions, has them put to the user, and sends the answers.

    :param ask: puts a question to the user; it is given what tells whether the question is over.
    :param instance: the only one that it is asked about, or None for all of the user's.
    """

    def __init__(
        self,
        ask: Callable[[Question, "Agent"], str],
        app: str = "",
        instance: int | None = None,
        bus: Bus | None = None,
    ) -> None:
        self._ask = ask
        self._app = app
        self._details = b"" if instance is None else instance.to_bytes(4)
        self._bus = bus
        self.connection: socket.socket | None = None

    def connect(self) -> None:
        """Tell sandboxd that questions can be put here.

        :raises BusError: when it can't be told.
        """
        given, kept = ticket.write(ticket.Wish.AGENT, app=self._app, details=self._details)
        with given:
            try:
                self._bus = self._bus or Bus()
                self._bus.call("Agent", "h", given.fileno())
            except BaseException:
                kept.close()
                raise
        self.connection = kept

    def serve(self) -> None:
        """Take the next message, and answer it; `connection` is None when sandboxd can't be reached any more."""
        question = self._receive()
        if question is not None:
            word = self._ask(question, self)
            with contextlib.suppress(OSError):
                if word and self.connection:
                    self.connection.send(f"{question.number}\0{word}".encode())
        if self.connection is None:
            self._connect_again()

    def is_over(self, question: Question) -> bool:
        """Whether a question is not asked any more; called when there is something to receive, or nobody left."""
        return self._next() in (b"", f"{question.number}\0".encode())

    def pick(self, app: str, path: str) -> None:
        """Give an app a folder of the user's.

        :raises FolderError: when that can't be; the message follows the path.
        """
        try:
            pick(self._bus or Bus(), app, path)
        except BusError as error:
            raise FolderError(error.message) from None

    def _receive(self) -> Question | None:
        number, _, rest = self._next().decode(errors="replace").partition("\0")
        words = rest.split("\0")
        return Question(int(number), *words) if number.isdecimal() and len(words) == 3 else None

    def _next(self) -> bytes:
        """The next message; empty when sandboxd has gone, and `connection` is None then."""
        try:
            said = self.connection.recv(_MOST_BYTES) if self.connection else b""
        except OSError:
            said = b""
        if not said and self.connection:
            self.connection.close()
            self.connection = None
        return said

    def _connect_again(self) -> None:
        for _ in range(_ATTEMPTS):
            try:
                self.connect()
                return
            except (BusError, OSError):
                self._bus = None
                time.sleep(_BETWEEN)
