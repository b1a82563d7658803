"""The methods about permissions: what holds for an app that starts, and what its user says of it."""

import asyncio
import functools
import operator
from collections.abc import Callable, Iterable
from typing import NamedTuple, ParamSpec, TypeVar

from tau import descriptors, ticket
from tau.daemon import installed, instances
from tau.daemon.agents import Agents
from tau.daemon.calls import Reply, of_store
from tau.daemon.consent import Consent
from tau.daemon.helper import HelperError
from tau.daemon.store import StoreError, Token
from tau.daemon.store_thread import StoreThread
from tau.decisions import DECISIONS, Decision, Scope
from tau.folders import PICKED
from tau.helper import instance, places
from tau.permissions import PERMISSIONS, mask_of, names_of
from tau.record import Record
from tau.status import Status
from tau.wire import Decision as Live

_BY_COMMAND = "set"
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class AtStart(NamedTuple):
    """What holds for an app that is about to start.

    :param decided: by permission, what its user has decided.
    :param asks: whether it declares any, so that its user may be asked.
    """

    uid: int
    app: str
    decided: dict[str, Decision]
    asks: bool

    @property
    def allowed(self) -> int:
        """The permissions that are granted, as a number."""
        return mask_of(permission for permission, each in self.decided.items() if each.allowed)

    @property
    def refused(self) -> int:
        """The permissions that are denied, as a number."""
        return mask_of(permission for permission, each in self.decided.items() if not each.allowed)


class PermissionCalls:
    """Each takes the user that the bus says, and what the call brings."""

    def __init__(self, kept: StoreThread, consent: Consent, agents: Agents) -> None:
        self._kept = kept
        self._consent = consent
        self._agents = agents

    async def at_start(self, file: int) -> AtStart:
        """Return what a ticket's user has decided of the app that is to start.

        :raises HelperError: when that can't be known, or no more could be kept: nothing starts then.
        """
        uid, name = ticket.peek(file)
        app = installed.app_of(uid, name)
        if app is None:  # the helper says why it does not start
            return AtStart(uid, name, {}, asks=False)
        store = self._kept.store
        await self._do(store.check)
        await self._do(store.tidy, instances.names(), instances.session)
        return AtStart(uid, name, await self._decided(app), bool(app.permissions))

    async def started(self, at_start: AtStart, number: int) -> None:
        """Have an instance that has begun hold to what was decided meanwhile: it was not there then."""
        app = installed.app_of(at_start.uid, at_start.app)
        now = await self._decided(app) if app else {}
        for each in instances.of_app(at_start.uid, at_start.app):
            for permission in names_of(each.permissions) if each.number == number else ():
                if now.get(permission) != at_start.decided.get(permission):
                    await self._consent.settle(each, permission)

    async def agent(self, file: int) -> Reply:
        """Take in an agent: the ticket is the socket on which it is asked."""
        try:
            connection = descriptors.as_socket(file)
        except OSError:
            raise HelperError(Status.NO_TICKET, "is not a socket") from None
        try:
            asked = ticket.read(connection)
            name = ""
            if asked.wish != ticket.Wish.AGENT or len(asked.details) not in (0, 4):
                descriptors.close(asked.files)
                raise ticket.TicketError("does not ask to be asked")
            if asked.details:
                name = instance.name(asked.uid, asked.app, int.from_bytes(asked.details))
            if not self._agents.add(connection, asked.uid, name):
                raise HelperError(Status.NO_SPACE, "too many of yours wait to be asked")
        except ticket.TicketError as error:
            connection.close()
            raise HelperError(Status.NO_TICKET, str(error)) from None
        except BaseException:
            connection.close()
            raise
        return "", []

    async def permissions(self, uid: int) -> Reply:
        """Return what each app of the user's declares, what they have decided of it, and which folder it is about."""
        rows = []
        for app in installed.apps_of(uid):
            decided = await self._decided(app)
            folder = places.picked(uid, app.app)
            for permission in names_of(app.permissions):
                word = decided[permission].word if permission in decided else "ask"
                about = folder if PICKED in PERMISSIONS[permission].folders else ""
                rows.append([app.app, permission, word, about])
        return "a(ssss)", [rows]

    async def decide(self, uid: int, name: str, permission: str, word: str) -> Reply:
        """Have a decision of the user's kept, and hold for what runs; whether something may stay open is returned."""
        app, decision = self._declaring(uid, name, [permission]), DECISIONS.get(word)
        if decision is None or decision.scope == Scope.ONCE:
            raise HelperError(Status.BAD_REQUEST, "there is no such decision")
        await self._do(self._kept.store.decide, app, permission, decision, _now_of(uid), _BY_COMMAND)
        return "b", [await self._hold(uid, name, permission)]

    async def reset(self, uid: int, name: str, permission: str) -> Reply:
        """Have a permission asked again, or all of an app's when none is named; as :meth:`decide`."""
        app = self._declaring(uid, name, [permission] if permission else [])
        names = [permission] if permission else list(_declared(app))
        await self._do(self._kept.store.reset, uid, name, names, _BY_COMMAND)
        return "b", [True in [await self._hold(uid, name, each) for each in names]]

    async def history(self, uid: int, most: int) -> Reply:
        """Return what the user has decided, the latest first."""
        lines = await self._do(self._kept.store.history, uid, most)
        return "a(tssss)", [[[each.time, each.app, each.permission, each.decision, each.how] for each in lines]]

    async def forget(self, uid: int, name: str) -> None:
        """Forget what was decided of an app that is removed.

        :raises HelperError: when it can't be.
        """
        await self._do(self._kept.store.forget, uid, name)

    async def installed(self, uid: int) -> None:
        """Forget what was decided of permissions that a user's apps don't declare any more, as they are now.

        What runs of an older version is asked for them again.

        :raises HelperError: when it can't be.
        """
        apps = {app.app: names_of(app.permissions) for app in installed.apps_of(uid)}
        await self._do(self._kept.store.keep_declared, uid, apps)
        for name, declared in apps.items():
            for each in instances.of_app(uid, name):
                for permission in names_of(each.permissions):
                    if permission not in declared:
                        await self._hold(uid, name, permission)

    async def _decided(self, app: Record) -> dict[str, Decision]:
        return await self._do(self._kept.store.decided, app, _now_of(app.uid))

    async def _do(
        self, method: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        """Have a method of the store called.

        :raises HelperError: when the store fails.
        """
        try:
            return await self._kept.do(method, *arguments, **named)
        except StoreError as error:
            raise of_store(error) from None

    @staticmethod
    def _declaring(uid: int, name: str, permissions: Iterable[str]) -> Record:
        app = installed.app_of(uid, name)
        if app is None:
            raise HelperError(Status.NOT_THERE, "is not installed")
        for permission in permissions:
            if permission not in PERMISSIONS:
                raise HelperError(Status.BAD_REQUEST, "can't have what is not a permission")
            if permission not in _declared(app):
                raise HelperError(Status.BAD_REQUEST, f"does not ask for {permission}")
        return app

    async def _hold(self, uid: int, name: str, permission: str) -> bool:
        """Have what runs of an app hold to what is decided, older versions as far as they declare it.

        :returns: whether something was taken away of which what is open stays open.
        :raises HelperError: when that can't be had.
        """
        bit = mask_of([permission])
        running = [each for each in instances.of_app(uid, name) if permission in names_of(each.permissions)]
        held = await asyncio.gather(*(self._consent.settle(each, permission) for each in running))
        if None in held:
            raise HelperError(Status.FAILED, "may not hold to it until it has ended; the journal says why")
        stays = [each.attached & bit and live != Live.ALLOW for each, live in zip(running, held, strict=True)]
        return any(stays) and PERMISSIONS[permission].revocation == "stays"


def _declared(app: Record) -> tuple[str, ...]:
    """What an app declares, or an older version of it that still runs."""
    running = [each.permissions for each in instances.of_app(app.uid, app.app)]
    return names_of(functools.reduce(operator.or_, running, app.permissions))


def _now_of(uid: int) -> Token:
    """What decisions are bound to that are not of an instance."""
    return Token("", instances.session(uid))
