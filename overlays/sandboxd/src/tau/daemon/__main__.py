"""Run sandboxd: connect to the system bus, serve the object, take the name."""

import asyncio
import sys

from dbus_fast import BusType, RequestNameReply
from dbus_fast.aio import MessageBus

from tau.bus_names import NAME
from tau.daemon.service import Service
from tau.daemon.watchdog import pings as watchdog_pings


async def _run() -> int:
    bus = await MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True).connect()
    await Service(bus).start()
    if await bus.request_name(NAME) != RequestNameReply.PRIMARY_OWNER:
        print(f"{NAME} is somebody else's", file=sys.stderr)
        return 1
    watchdog = asyncio.ensure_future(watchdog_pings())
    await bus.wait_for_disconnect()
    watchdog.cancel()
    return 1


def main() -> int:
    """Run until the bus goes away."""
    return asyncio.run(_run())


if __name__ == "__main__":
    sys.exit(main())
