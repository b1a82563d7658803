"""Tell systemd that the event loop turns, as often as it asks to be told (sd_watchdog_enabled(3), sd_notify(3))."""

import asyncio
import os
import socket


async def pings() -> None:
    """Send a sign of life twice in each interval, for ever; return at once when nobody waits for any.

    :raises OSError: when systemd can't be told, which ends the service a little later.
    """
    address, interval = os.environ.get("NOTIFY_SOCKET", ""), os.environ.get("WATCHDOG_USEC", "")
    if not address or not interval.isdecimal():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
        connection.connect("\0" + address[1:] if address.startswith("@") else address)
        while True:
            connection.send(b"WATCHDOG=1")
            await asyncio.sleep(int(interval) / 2_000_000)
