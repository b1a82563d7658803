"""The host end of the guest's root shell: framed, over a virtio serial port (the guest end is guest_shell.sh)."""

import contextlib
import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from qemu.errors import CommandTimeoutError, GuestDiedError, GuestSilentError
from qemu.patience import patience

#: Bytes that one answer may hold: a guest must not fill the harness's memory.
MAX_OUTPUT = 256 << 20


@dataclass(frozen=True)
class Answer:
    """What a command gave. `started` and `ended` are seconds of the guest's uptime."""

    status: int
    stdout: bytes
    stderr: bytes
    started: float
    ended: float

    @property
    def text(self) -> str:
        """Standard output as text, without the newlines at its end."""
        return self.stdout.decode(errors="replace").rstrip("\n")


class Shell:
    """A root shell in the guest. It needs no network. One command runs at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._buffer = b""

    def connect(self, timeout: float) -> None:
        """Wait until the guest's end answers.

        :param timeout: seconds.
        :raises GuestSilentError: when it does not.
        """
        deadline = time.monotonic() + timeout
        wait = 3.0
        while True:
            try:
                self._open()
                self._synchronize(min(wait, max(0.5, deadline - time.monotonic())))
                return
            except (OSError, GuestSilentError):
                wait *= 2  # a guest on a busy host may take longer: its answer must find the line still open
                if time.monotonic() >= deadline:
                    raise GuestSilentError(f"the guest's shell did not answer within {timeout:.0f} s") from None
                time.sleep(0.2)

    def _open(self) -> None:
        self.close()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(self._path))
        self._buffer = b""

    def _synchronize(self, timeout: float) -> None:
        """Throw away whatever an earlier command or a restored snapshot left on the line."""
        nonce = secrets.token_hex(8)
        deadline = time.monotonic() + timeout
        self._send(f"\nSYNC {nonce}\n".encode())
        while True:
            line = self._line(deadline)
            if line == f"SYNC {nonce}":
                return

    def run(self, command: str, timeout: float = 120, stdin: bytes = b"") -> Answer:
        """Run `command` with bash as root, standard input from `stdin`.

        :param timeout: seconds of the host; then the command and its process group are killed in the guest.
        :raises CommandTimeoutError: when it took longer.
        :raises GuestSilentError: when the guest does not answer at all.
        """
        timeout = patience.of(timeout)
        nonce = secrets.token_hex(8)
        text = command.encode()
        self._send(f"RUN {nonce} {timeout:.0f} {len(text)} {len(stdin)}\n".encode() + text + stdin)
        deadline = time.monotonic() + timeout + 30
        while True:
            words = self._line(deadline).split(" ")
            if len(words) == 7 and words[:2] == ["DONE", nonce]:
                break
        status, out, err = (int(word) for word in words[2:5])
        if out + err > MAX_OUTPUT:
            raise GuestDiedError(f"the guest announced an answer of {out + err} bytes")
        answer = Answer(status, self._read(out, deadline), self._read(err, deadline), float(words[5]), float(words[6]))
        if status in (124, 137) and answer.ended - answer.started >= timeout - 1:
            raise CommandTimeoutError(f"{command[:200]!r} ran longer than {timeout:.0f} s and was killed")
        return answer

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            self._open()
        assert self._socket is not None
        try:
            self._socket.settimeout(30)
            self._socket.sendall(data)
        except OSError as error:
            raise GuestSilentError(f"the line to the guest's shell is broken: {error}") from error

    def _line(self, deadline: float) -> str:
        while b"\n" not in self._buffer:
            self._fill(deadline)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").strip()

    def _read(self, count: int, deadline: float) -> bytes:
        while len(self._buffer) < count:
            self._fill(deadline)
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _fill(self, deadline: float) -> None:
        assert self._socket is not None
        left = deadline - time.monotonic()
        if left <= 0:
            raise GuestSilentError("the guest's shell does not answer")
        self._socket.settimeout(left)
        try:
            block = self._socket.recv(1 << 20)
        except TimeoutError:
            raise GuestSilentError("the guest's shell does not answer") from None
        if not block:
            raise GuestDiedError("QEMU closed the line to the guest's shell")
        self._buffer += block

    def close(self) -> None:
        """End the connection; the guest's end waits for the next."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None
