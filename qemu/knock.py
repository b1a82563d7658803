"""Try ports of a machine: run by `qemu.net.Network.knock` inside of the network, with the Python of the harness.

Reads a JSON object with `address`, `ports` and `transport`, prints one of ports to ``open``, ``refused``, ``silent``.
"""

import asyncio
import json
import socket
import sys

_AT_ONCE = 200


async def _tcp(address: str, port: int, timeout: float) -> str:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), timeout)
    except ConnectionRefusedError:
        return "refused"
    except (TimeoutError, OSError):
        return "silent"
    writer.close()
    return "open"


async def _udp(address: str, port: int, timeout: float) -> str:
    loop = asyncio.get_running_loop()
    family, _, _, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        try:
            udp.connect(target)
            udp.send(b"\0" * 16)
            await asyncio.wait_for(loop.sock_recv(udp, 4096), timeout)
        except ConnectionRefusedError:
            return "refused"
        except (TimeoutError, OSError):
            return "silent"
        return "open"


async def main() -> None:
    """Try them all, a few hundred at once."""
    request = json.load(sys.stdin)
    timeout = float(sys.argv[1])
    slots = asyncio.Semaphore(_AT_ONCE)
    way = _tcp if request["transport"] == "tcp" else _udp

    async def one(port: int) -> tuple[int, str]:
        async with slots:
            return port, await way(request["address"], port, timeout)

    print(json.dumps(dict(await asyncio.gather(*(one(port) for port in request["ports"])))))


if __name__ == "__main__":
    asyncio.run(main())
