"""The serial console: recorded from power-on, read by patterns, written to as by a person."""

import bisect
import re
import socket
import threading
import time
from pathlib import Path

from qemu.errors import GuestSilentError, with_console
from qemu.patience import patience

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-9;?!]*[A-Za-z@`]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|P[^\x1b]*\x1b\\|[=>78])"
)


def plain(text: str) -> str:
    """Return console output without terminal escapes and carriage returns."""
    return _ESCAPES.sub("", text).replace("\r", "")


class Console:
    """A connection to the serial line of a machine. Everything is also written to `log`, with escapes, as it came."""

    def __init__(self, path: Path, log: Path) -> None:
        self.log = log
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._raw = bytearray()
        self._began = time.monotonic()
        self._blocks: list[tuple[int, float]] = []
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="console", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self.log.open("ab", buffering=0) as stream:
            while True:
                try:
                    block = self._socket.recv(65536)
                except OSError:
                    break
                if not block:
                    break
                stream.write(block)
                with self._arrived:
                    self._blocks.append((len(self._raw), time.monotonic() - self._began))
                    self._raw += block
                    self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()

    @property
    def text(self) -> str:
        """All that was printed since power-on, without escapes."""
        with self._arrived:
            return plain(self._raw.decode(errors="replace"))

    @property
    def stamped(self) -> str:
        """All that was printed, without escapes, each line behind the seconds from power-on to its first character."""
        with self._arrived:
            raw, blocks = bytes(self._raw), list(self._blocks)
        lines, position = [], 0
        for line in raw.splitlines(keepends=True):
            _, seconds = blocks[bisect.bisect(blocks, (position, float("inf"))) - 1]
            lines.append(f"{seconds:9.3f}  {plain(line.decode(errors='replace')).rstrip()}\n")
            position += len(line)
        return "".join(lines)

    def mark(self) -> int:
        """Return the present position, for `expect` and `since`."""
        with self._arrived:
            return len(self._raw)

    def since(self, mark: int) -> str:
        """Return what was printed after `mark`, without escapes."""
        with self._arrived:
            return plain(self._raw[mark:].decode(errors="replace"))

    def raw_since(self, mark: int) -> bytes:
        """Return what was printed after `mark` as it came."""
        with self._arrived:
            return bytes(self._raw[mark:])

    def expect(self, pattern: str, timeout: float = 60, since: int = 0) -> re.Match[str]:
        """Wait until the output after `since` matches a regular expression.

        :param timeout: seconds.
        :raises GuestSilentError: with the last lines of the console, when it does not.
        """
        timeout = patience.of(timeout)
        deadline = time.monotonic() + timeout
        expression = re.compile(pattern, re.MULTILINE)
        with self._arrived:
            while True:
                found = expression.search(plain(self._raw[since:].decode(errors="replace")))
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._arrived.wait(min(left, 1))
        message = f"the console did not show /{pattern}/ within {timeout:.0f} s"
        raise GuestSilentError(with_console(message, self.tail(), self.log))

    def send(self, text: str) -> None:
        """Type `text`; a newline is the return key."""
        self._socket.sendall(text.replace("\n", "\r").encode())

    def tail(self, count: int = 15) -> list[str]:
        """Return the last lines that are not empty."""
        return [line for line in self.text.splitlines() if line.strip()][-count:]

    def close(self) -> None:
        """End the connection."""
        self._socket.close()
