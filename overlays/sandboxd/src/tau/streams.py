"""What an app gets as standard input, output and error: pipes, and a terminal of its own, never a file of the user's.

A descriptor of a file, and of a pipe no less, can be opened again with other rights (/proc/self/fd): a script that is
read from a pipe could be written to by an app that it starts. One of the user's terminal reads what is typed. So `tau
run` stands between: it has the user's, and the app what is made here.
"""

import errno
import fcntl
import os
import pty
import stat
import struct
import termios
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_MOST = 64 * 1024


class Pump:
    """Carries what comes from one descriptor to another. `sink` blocks where it is the user's, and does not where it is
    the app's: that one may wait for us.

    :param own_source: whether the descriptor is ours, and closed when nothing comes from there any more.
    :param own_sink: the same of where it goes.
    """

    def __init__(self, source: int, sink: int, *, own_source: bool = False, own_sink: bool = False) -> None:
        self.source, self.sink = source, sink
        self.own_source, self.own_sink = own_source, own_sink
        self.pending = b""
        self.ended = False
        #: Why what came could not be handed on (errno), or 0.
        self.failed = 0

    def read(self) -> None:
        """Take what is there."""
        try:
            self.pending = os.read(self.source, _MOST)
        except BlockingIOError:
            return
        except OSError:
            self.pending = b""  # a terminal whose other end has gone (EIO)
        if not self.pending:
            self._end()

    def write(self) -> None:
        """Hand on what was taken."""
        try:
            self.pending = self.pending[os.write(self.sink, self.pending) :]
        except BlockingIOError:
            return
        except OSError as error:
            self.pending, self.failed = b"", error.errno or 0
            self._end()

    def _end(self) -> None:
        """Close what is ours: whoever is at the other end learns that nobody reads, or that nothing more comes."""
        self.ended = True
        if self.own_source:
            os.close(self.source)
        if self.own_sink:
            os.close(self.sink)


class Streams:
    """Makes the app's three descriptors, `given`, and the pumps between them and the caller's."""

    def __init__(self) -> None:
        self.given: list[int] = []
        self.pumps: list[Pump] = []
        #: The app's terminal, the end that is ours, and the user's.
        self.master: int | None = None
        self.user_terminal: int | None = None
        #: The app's end of standard input, where that is a file: the app may leave some of it unread.
        self._file_input: int | None = None
        self._saved: list[Any] | None = None
        self._entered = False

    def __enter__(self) -> Self:
        for number in range(3):
            if not _is_open(number):  # or what is opened next would take its place
                os.open("/dev/null", os.O_RDWR)
        terminals = [number for number in range(3) if os.isatty(number)]
        slave = self._make_terminal(terminals[0]) if terminals else -1
        for number in range(3):
            if number in terminals:
                self.given.append(os.dup(slave))
            elif number == 2 and os.path.sameopenfile(1, 2):  # what is written to both keeps its order
                self.given.append(os.dup(self.given[1]))
            else:
                self.given.append(self._pipe(number))
        if slave >= 0:
            os.close(slave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_given()
        if self._file_input is not None:
            _give_back(self._file_input, next(pump for pump in self.pumps if pump.source == 0).pending)
        self.leave_terminal()

    @property
    def has_terminal(self) -> bool:
        """Whether the app gets a terminal."""
        return self.master is not None

    def close_given(self) -> None:
        """Close what the app has by now: it is to be the only one that has it."""
        for descriptor in self.given:
            os.close(descriptor)
        self.given = []

    def enter_terminal(self) -> None:
        """Hand each key on as it is, while the app is in the foreground; what ^C means is for its terminal to say.

        In a pipe the keys are left to others, who may want them: `tau run … | less`, `sudo cat … | tau run …`.
        """
        if self.user_terminal is None or self._saved is not None or not self._takes_keys():
            return
        self._saved = termios.tcgetattr(self.user_terminal)
        if not self._entered:  # from then on it is the app's to say
            self._entered = True
            self._let_app_end_lines(self._saved[1] & termios.OPOST)
        mode = termios.tcgetattr(self.user_terminal)
        mode[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
        mode[1] &= ~termios.OPOST
        mode[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self.user_terminal, termios.TCSADRAIN, mode)

    def _let_app_end_lines(self, processing: int) -> None:
        """Say who makes carriage returns of line ends: the user's terminal does, as long as it is as it was."""
        if self.master is not None:
            mode = termios.tcgetattr(self.master)
            mode[1] = mode[1] & ~termios.OPOST | processing
            termios.tcsetattr(self.master, termios.TCSANOW, mode)

    def leave_terminal(self) -> None:
        """Leave the user's terminal as it was. What it may have answered to an app's question is not for the shell."""
        if self.user_terminal is not None and self._saved is not None:
            termios.tcsetattr(self.user_terminal, termios.TCSAFLUSH, self._saved)
        self._saved = None

    @property
    def reads_keys(self) -> bool:
        """Whether keys are the app's now."""
        return self._saved is not None and not self._hung_up

    @property
    def _hung_up(self) -> bool:
        """Whether the app's terminal has gone."""
        return any(pump.source == self.master and pump.ended for pump in self.pumps)

    @property
    def failure(self) -> int:
        """Why something that the app has written could not be handed on (errno), or 0: a reader that left is none."""
        errors = [pump.failed for pump in self.pumps if pump.sink in (0, 1, 2)]
        return next((number for number in errors if number not in (0, errno.EPIPE)), 0)

    def resize(self) -> None:
        """Give the app's terminal the size of the user's; the kernel tells the app (SIGWINCH)."""
        if self.master is not None and self.user_terminal is not None and not self._hung_up:
            size = fcntl.ioctl(self.user_terminal, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def _takes_keys(self) -> bool:
        try:
            return self.user_terminal == 0 and not _is_pipe(1) and os.tcgetpgrp(0) == os.getpgrp()
        except OSError:  # not the terminal of this session
            return False

    def _make_terminal(self, like: int) -> int:
        self.master, slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.user_terminal = like
        termios.tcsetattr(slave, termios.TCSANOW, termios.tcgetattr(like))
        # From the start, as it will be once the app runs: what it writes before that is shown then.
        self._let_app_end_lines(termios.tcgetattr(like)[1] & termios.OPOST if self._takes_keys() else 0)
        self.resize()
        out = next((number for number in (1, 2, 0) if os.isatty(number)), like)
        # Whoever can't show what the app writes hangs up.
        self.pumps += [Pump(self.master, out, own_source=True), Pump(like, self.master)]
        return slave

    def _pipe(self, number: int) -> int:
        """The app's end for a descriptor that is no terminal."""
        reading, writing = os.pipe()
        if number:
            os.set_blocking(reading, False)
            self.pumps.append(Pump(reading, number, own_source=True))
            return writing
        os.set_blocking(writing, False)
        self.pumps.append(Pump(0, writing, own_sink=True))
        if stat.S_ISREG(os.fstat(0).st_mode):
            self._file_input = os.dup(reading)
        return reading


def _give_back(reading: int, pending: bytes) -> None:
    """Set a file back to what the app has not read: in `while read x; do tau run …; done <file` others read on."""
    (waiting,) = struct.unpack("i", fcntl.ioctl(reading, termios.FIONREAD, struct.pack("i", 0)))
    os.lseek(0, -(waiting + len(pending)), os.SEEK_CUR)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _is_pipe(number: int) -> bool:
    """Whether a descriptor is a pipe of a pipeline: one that has no name."""
    return str(Path(f"/proc/self/fd/{number}").readlink()).startswith("pipe:")
