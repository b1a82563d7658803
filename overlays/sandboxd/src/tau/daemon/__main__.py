"""Run sandboxd: connect to the system bus, serve the object, take the name."""

import asyncio
import functools
import socket
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dbus_fast import BusType, RequestNameReply
from dbus_fast.aio import MessageBus

from tau import listening, running
from tau.bus_names import NAME
from tau.daemon import helper
from tau.daemon.agents import Agents
from tau.daemon.consent import Consent
from tau.daemon.helper import HelperError
from tau.daemon.hold import Hold
from tau.daemon.packet_listener import PacketListener
from tau.daemon.permission_calls import PermissionCalls
from tau.daemon.portal import Portal
from tau.daemon.resolver import Resolver
from tau.daemon.service import Service
from tau.daemon.store import Store
from tau.daemon.store_thread import StoreThread
from tau.daemon.watchdog import pings as watchdog_pings
from tau.running import Running
from tau.status import Status
from tau.wire import Decision

#: Changes in the kernel that are under way at a time: one may wait until connections have been ended.
_CHANGES = ThreadPoolExecutor(64)
#: Of one user at a time, so that nobody's apps that are slow to start keep others from being heard.
_MOST_OF_USER = 6
_TURNS: weakref.WeakValueDictionary[int, asyncio.Semaphore] = weakref.WeakValueDictionary()
#: StateDirectory= of its unit.
_STORE = Path("/var/lib/tau/permissions/store.sqlite")


async def _run() -> int:
    bus = await MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True).connect()
    kept, agents = StoreThread(Store(_STORE)), Agents()
    consent = Consent(kept, agents, Hold(kept, _apply))
    await Service(bus, PermissionCalls(kept, consent, agents)).start()
    given = listening.given()
    await Resolver(consent).serve([each for each in given if each.family == socket.AF_INET])
    Portal(consent).serve([each for each in given if each.family == socket.AF_UNIX])
    if await bus.request_name(NAME) != RequestNameReply.PRIMARY_OWNER:
        print(f"{NAME} is somebody else's", file=sys.stderr)
        return 1
    jobs = (watchdog_pings(), PacketListener(consent).start(), consent.hold.hold_all(list(running.every())))
    disconnected = asyncio.ensure_future(bus.wait_for_disconnect())
    background = [asyncio.ensure_future(each) for each in jobs]
    while not disconnected.done():
        done, _ = await asyncio.wait({disconnected, *background}, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()  # one that has failed ends us: another begins anew (Restart= of the unit)
        background = [each for each in background if not each.done()]
    return 1


async def _apply(instance: Running, permission: str, decision: Decision) -> bool:
    """Have the kernel hold to a decision; whether that was possible. The journal has the reason."""
    call = functools.partial(helper.decide, instance.number, permission, decision)
    try:
        async with _TURNS.setdefault(instance.uid, asyncio.Semaphore(_MOST_OF_USER)):
            await asyncio.get_running_loop().run_in_executor(_CHANGES, call)
    except HelperError as error:
        if error.status == Status.NOT_THERE:  # it has just ended, and has nothing
            return decision != Decision.ALLOW
        print(f"{instance.name}: {permission}: {error.reason}", flush=True)
        return False
    return True


def main() -> int:
    """Run until the bus goes away."""
    return asyncio.run(_run())


if __name__ == "__main__":
    sys.exit(main())
