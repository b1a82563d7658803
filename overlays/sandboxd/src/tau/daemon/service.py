"""sandboxd's object on the system bus. A caller is who the bus says it is, never who it says it is."""

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbus_fast import Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus

from tau import descriptors, ticket
from tau.bus_names import INTERFACE, PATH, error_name
from tau.daemon import helper, installed
from tau.daemon.calls import Reply
from tau.daemon.permission_calls import PermissionCalls
from tau.permissions import names_of
from tau.status import Status

_BUS, _BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
#: D-Bus errors that the specification names.
_UNKNOWN, _WRONG = "org.freedesktop.DBus.Error.UnknownMethod", "org.freedesktop.DBus.Error.InvalidArgs"
#: Most calls that are under way at a time, and most of one user.
_MOST_CALLS, _MOST_CALLS_OF_ONE = 256, 64


class Service:
    """Answers calls; each in a task of its own, so that a large bundle keeps nobody waiting."""

    def __init__(self, bus: MessageBus, permissions: PermissionCalls) -> None:
        self._bus = bus
        self._permissions = permissions
        #: Who waits for an answer to what was staged: the number, by the caller's unique name.
        self._staged: dict[int, str] = {}
        self._calls: dict[asyncio.Task[None], int] = {}
        # A thread for each call that may be under way: a slow one keeps nobody waiting.
        self._threads = ThreadPoolExecutor(_MOST_CALLS)
        self._methods: dict[str, tuple[str, Callable[[Message, int], Awaitable[Reply]]]] = {
            "Install": ("h", self._install),
            "Confirm": ("t", self._confirm),
            "Cancel": ("t", self._cancel),
            "Remove": ("h", self._remove),
            "Run": ("h", self._run),
            "Pick": ("h", self._pick),
            "Log": ("h", self._log),
            "List": ("", self._list),
            "Agent": ("h", lambda message, _: permissions.agent(_file(message))),
            "Permissions": ("", lambda _, uid: permissions.permissions(uid)),
            "Decide": ("sss", lambda message, uid: permissions.decide(uid, *message.body)),
            "Reset": ("ss", lambda message, uid: permissions.reset(uid, *message.body)),
            "History": ("u", lambda message, uid: permissions.history(uid, *message.body)),
        }

    async def start(self) -> None:
        """Serve the object, and hear of callers that go away."""
        self._bus.add_message_handler(self._handle)
        rule = f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg2=''"
        await self._call("AddMatch", "s", [rule])

    def _handle(self, message: Message) -> bool:
        # The library has one list for all messages until one brings a file: who looked later would find, and close, the
        # file of the next.
        message.unix_fds = list(message.unix_fds)
        # Anybody can send a signal of this name; what the bus says of itself alone counts.
        if (message.message_type, message.sender, message.member) == (MessageType.SIGNAL, _BUS, "NameOwnerChanged"):
            self._forget(str(message.body[0]))
        if message.message_type != MessageType.METHOD_CALL or message.path != PATH or message.interface != INTERFACE:
            # The library answers what is left, introspection among it. It closes no files: who sends enough would leave
            # us without.
            descriptors.close(message.unix_fds)
            message.unix_fds = []
            return False
        task = asyncio.ensure_future(self._answer(message))
        self._calls[task] = -1
        task.add_done_callback(lambda done: self._calls.pop(done, None))
        return True

    async def _answer(self, message: Message) -> None:
        files = list(message.unix_fds)
        try:
            reply = await self._reply(message)
        except helper.HelperError as error:
            reply = Message.new_error(message, error_name(error.status), error.reason)
        except Exception:
            # A mistake of ours must not leave the caller waiting.
            traceback.print_exc()
            reply = Message.new_error(message, error_name(Status.FAILED), "sandboxd has failed; its journal says more")
        finally:
            descriptors.close(files)
        if not message.flags & MessageFlag.NO_REPLY_EXPECTED:
            await self._bus.send(reply)

    async def _reply(self, message: Message) -> Message:
        signature, method = self._methods.get(message.member, ("", None))
        if method is None:
            return Message.new_error(message, _UNKNOWN, f"there is no {message.member}")
        if message.signature != signature:
            return Message.new_error(message, _WRONG, f"{message.member} takes {signature or 'nothing'}")
        uid = await self._uid(message.sender)
        task = asyncio.current_task()
        if task is not None:
            self._calls[task] = uid
        of_one = sum(other == uid for other in self._calls.values())
        if len(self._calls) > _MOST_CALLS or of_one > _MOST_CALLS_OF_ONE:
            raise helper.HelperError(Status.NO_SPACE, "too many calls are under way")
        out, body = await method(message, uid)
        return Message.new_method_return(message, out, body)

    async def _install(self, message: Message, uid: int) -> Reply:
        staged = await self._in_thread(helper.stage, _file(message))
        self._staged[staged.number] = message.sender
        if not (await self._call("NameHasOwner", "s", [message.sender]))[0]:
            self._forget(message.sender)  # it had gone before there was anything to forget
        return "tay", [staged.number, staged.manifest]

    async def _confirm(self, message: Message, uid: int) -> Reply:
        await self._in_thread(helper.commit, self._take(message))
        await self._permissions.installed(uid)
        return "", []

    async def _cancel(self, message: Message, uid: int) -> Reply:
        await self._in_thread(helper.drop, self._take(message))
        return "", []

    async def _remove(self, message: Message, uid: int) -> Reply:
        maker, app = ticket.peek(_file(message))
        # Before, so that a removal that is cut off leaves no grant to whoever is installed afterwards; and after, since
        # a question may have stood meanwhile.
        await self._permissions.forget(maker, app)
        await self._in_thread(helper.remove, _file(message))
        await self._permissions.forget(maker, app)
        return "", []

    async def _run(self, message: Message, uid: int) -> Reply:
        at_start = await self._permissions.at_start(_file(message))
        number = await self._in_thread(helper.start, _file(message), at_start.allowed, at_start.refused)
        with contextlib.suppress(helper.HelperError):  # it has begun; what it was decided by was so a moment ago
            await self._permissions.started(at_start, number)
        return "tb", [number, at_start.asks]

    async def _pick(self, message: Message, uid: int) -> Reply:
        await self._in_thread(helper.pick, _file(message))
        return "", []

    async def _log(self, message: Message, uid: int) -> Reply:
        await self._in_thread(helper.log, _file(message))
        return "", []

    async def _list(self, message: Message, uid: int) -> Reply:
        found = [[each.app, each.version_text, list(names_of(each.permissions))] for each in installed.apps_of(uid)]
        return "a(ssas)", [found]

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def _take(self, message: Message) -> int:
        number = int(message.body[0])
        if self._staged.get(number) != message.sender:
            raise helper.HelperError(Status.NOT_THERE, "nothing of yours waits under that number")
        del self._staged[number]
        return number

    def _forget(self, name: str) -> None:
        """A caller has gone: what it did not answer is not installed."""
        for number in [number for number, caller in self._staged.items() if caller == name]:
            del self._staged[number]
            task = asyncio.ensure_future(self._in_thread(helper.drop, number))
            task.add_done_callback(lambda done: done.exception())

    async def _uid(self, name: str) -> int:
        answer = await self._call("GetConnectionUnixUser", "s", [name])
        return int(answer[0])

    async def _call(self, member: str, signature: str, body: list[Any]) -> list[Any]:
        reply = await self._bus.call(Message(_BUS, _BUS_PATH, _BUS, member, signature=signature, body=body))
        if reply is None or reply.message_type == MessageType.ERROR:
            raise helper.HelperError(Status.FAILED, f"the bus does not answer {member}")
        return list(reply.body)


def _file(message: Message) -> int:
    """The descriptor that a call brings; a body can name one that has not come."""
    try:
        return int(message.unix_fds[message.body[0]])
    except IndexError:
        raise helper.HelperError(Status.BAD_REQUEST, "the file is missing") from None
