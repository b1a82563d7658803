"""sandboxd's object on the bus: each call has its own files, and no other's."""

import asyncio
import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class Kind(SimpleNamespace):
    """dbus_fast is the image's: what of it the service uses."""

    METHOD_CALL, SIGNAL, ERROR = "call", "signal", "error"
    NO_REPLY_EXPECTED = 1


class Message(SimpleNamespace):
    """A message, as the library hands it over."""

    @staticmethod
    def new_error(message: Any, name: str, said: str) -> "Message":
        return Message(to=message.member, error=name, said=said)

    @staticmethod
    def new_method_return(message: Any, signature: str, body: list[Any]) -> "Message":
        return Message(to=message.member, error="", said=body)


class Bus:
    """Remembers what was answered."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def send(self, message: Message) -> None:
        self.sent.append(message)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    library, aio = ModuleType("dbus_fast"), ModuleType("dbus_fast.aio")
    for name, value in (("Message", Message), ("MessageFlag", Kind), ("MessageType", Kind)):
        setattr(library, name, value)
    setattr(aio, "MessageBus", Bus)  # noqa: B010 - a module's, for mypy
    monkeypatch.setitem(sys.modules, "dbus_fast", library)
    monkeypatch.setitem(sys.modules, "dbus_fast.aio", aio)
    monkeypatch.delitem(sys.modules, "tau.daemon.service", raising=False)
    from tau.daemon import service as module

    return module


def test_a_call_closes_no_file_of_the_next(service: Any) -> None:
    """The library goes on with one list until a message brings a file: both calls have come before one is answered."""

    async def story() -> None:
        bus, seen = Bus(), []
        made = service.Service(bus, SimpleNamespace())

        async def uid(name: str) -> int:
            return 1000

        async def without(message: Message, uid: int) -> tuple[str, list[Any]]:
            return "", []

        async def brings(message: Message, uid: int) -> tuple[str, list[Any]]:
            await asyncio.sleep(0.05)
            seen.append(os.fstat(service._file(message)).st_size)
            return "", []

        made._uid = uid
        made._methods = {"Without": ("", without), "Brings": ("h", brings)}
        shared: list[int] = []

        def arrives(member: str, signature: str, body: list[int]) -> None:
            fields = {
                "message_type": Kind.METHOD_CALL,
                "path": service.PATH,
                "interface": service.INTERFACE,
                "flags": 0,
            }
            made._handle(
                Message(member=member, signature=signature, body=body, unix_fds=shared, sender=":1.1", **fields)
            )

        arrives("Without", "", [])
        shared.append(os.open("/dev/null", os.O_RDONLY))
        arrives("Brings", "h", [0])
        await asyncio.sleep(0.2)
        assert [(each.to, each.error) for each in bus.sent] == [("Without", ""), ("Brings", "")] and seen == [0]
        with pytest.raises(OSError):
            os.fstat(shared[0])

    asyncio.run(asyncio.wait_for(story(), 10))
