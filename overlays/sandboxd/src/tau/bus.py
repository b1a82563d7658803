"""Call sandboxd over the system bus, by libsystemd's own client (sd-bus(3)).

It is there on every image, speaks the whole protocol, and is loaded in a millisecond, as no D-Bus library of Python's.
"""

import ctypes
import os
from typing import Any

from tau.bus_names import CALL_SECONDS, INTERFACE, NAME, PATH
from tau.this_system import NO_TAU_OS, is_tau_os


class BusError(Exception):
    """sandboxd has refused, or there is none.

    :param name: of the D-Bus error.
    :param message: for a person.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


class _Error(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("message", ctypes.c_char_p), ("need_free", ctypes.c_int)]


#: How a basic type is handed over and received (sd_bus_message_append_basic(3)).
_NUMBERS: dict[str, Any] = {"h": ctypes.c_int, "t": ctypes.c_uint64, "u": ctypes.c_uint32, "b": ctypes.c_int}


class Bus:
    """A connection to the system bus."""

    def __init__(self) -> None:
        """Connect.

        :raises BusError: when there is no bus, or this is no Tau OS.
        """
        if not is_tau_os():
            raise BusError("", NO_TAU_OS)
        self._lib = ctypes.CDLL("libsystemd.so.0", use_errno=False)
        self._bus = ctypes.c_void_p()
        self._check(self._lib.sd_bus_open_system(ctypes.byref(self._bus)), "the system bus can't be reached")

    def call(self, member: str, signature: str = "", *values: Any) -> "Reply":
        """Call a method of sandboxd's and wait for its answer.

        :param signature: of basic types: ``s`` (text), ``h`` (file descriptor), ``t`` and ``u`` (numbers).
        :raises BusError: when it refuses, or does not answer.
        """
        message = ctypes.c_void_p()
        names = [text.encode() for text in (NAME, PATH, INTERFACE, member)]
        made = self._lib.sd_bus_message_new_method_call(self._bus, ctypes.byref(message), *names)
        self._check(made, "the call can't be made")
        error, reply = _Error(), ctypes.c_void_p()
        try:
            for kind, value in zip(signature, values, strict=True):
                given = value.encode() if kind == "s" else ctypes.byref(_NUMBERS[kind](value))
                appended = self._lib.sd_bus_message_append_basic(message, ctypes.c_char(kind.encode()), given)
                self._check(appended, "the call can't be made")
            timeout = ctypes.c_uint64(CALL_SECONDS * 1_000_000)
            sent = self._lib.sd_bus_call(self._bus, message, timeout, ctypes.byref(error), ctypes.byref(reply))
            if sent < 0:
                name, said = (text.decode(errors="replace") if text else "" for text in (error.name, error.message))
                raise BusError(name, said or os.strerror(-sent))
        finally:
            self._lib.sd_bus_error_free(ctypes.byref(error))
            self._lib.sd_bus_message_unref(message)
        return Reply(self._lib, reply)

    @staticmethod
    def _check(status: int, what: str) -> None:
        if status < 0:
            raise BusError("", f"{what}: {os.strerror(-status)}")


class Reply:
    """A method's answer, read value by value."""

    def __init__(self, library: ctypes.CDLL, message: ctypes.c_void_p) -> None:
        self._lib = library
        self._message = message

    def number(self, kind: str = "t") -> int:
        """Return the next value, a number."""
        value = _NUMBERS[kind]()
        self._lib.sd_bus_message_read_basic(self._message, ctypes.c_char(kind.encode()), ctypes.byref(value))
        return int(value.value)

    def text(self) -> str:
        """Return the next value, a text."""
        value = ctypes.c_char_p()
        self._lib.sd_bus_message_read_basic(self._message, ctypes.c_char(b"s"), ctypes.byref(value))
        return (value.value or b"").decode()

    def octets(self) -> bytes:
        """Return the next value, an array of bytes."""
        pointer, size = ctypes.c_void_p(), ctypes.c_size_t()
        read = self._lib.sd_bus_message_read_array
        read(self._message, ctypes.c_char(b"y"), ctypes.byref(pointer), ctypes.byref(size))
        return ctypes.string_at(pointer, size.value) if pointer.value else b""

    def enter(self, kind: str, content: str) -> bool:
        """Go into a container (``a``, ``r``); False when it has no more of these."""
        enter = self._lib.sd_bus_message_enter_container
        return int(enter(self._message, ctypes.c_char(kind.encode()), content.encode())) > 0

    def leave(self) -> None:
        """Leave a container."""
        self._lib.sd_bus_message_exit_container(self._message)

    def texts(self) -> list[str]:
        """Return the next value, an array of texts."""
        found = []
        self.enter("a", "s")
        while not self._lib.sd_bus_message_at_end(self._message, 0):
            found.append(self.text())
        self.leave()
        return found
