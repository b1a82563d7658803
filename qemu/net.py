"""The network that machines under test are on: real, and cut off from the world.

A network namespace of its own (user_namespaces(7): it needs no privileges) holds a whole Internet of one host: every
IPv4 address outside of the machines' own network and every global IPv6 address is local to it, so that whatever a
machine calls reaches a server that writes it down, and nothing leaves. On that side run the router (DHCP, router
advertisements), the sink (qemu/wire.py) and, when a check starts them, the servers that an image may talk to
(qemu/servers.py). QEMU itself stays outside and is connected by a socket.

Not taken: QEMU's user network (no UDP with restrict=on, its DNS server asks the host's resolver, and a peer that scans
the machine's ports can't exist), and a tap device (/dev/net/tun is root's on many hosts).
"""

import ipaddress
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from qemu import dhcp, wire
from qemu.errors import MachineError
from qemu.patience import patience
from qemu.process import Guarded
from qemu.tools import Tools

#: Addresses of the namespace that are bound by name, beside those of the router; documentation ranges (RFC 5737, 3849).
SERVERS_V4 = {"doh": "192.0.2.53", "sink": "192.0.2.80", "time": "192.0.2.123", "guard": "192.0.2.90"}
SERVERS_V6 = {"doh": "2001:db8::53", "sink": "2001:db8::80", "time": "2001:db8::123"}
_ROOT = Path(__file__).parent.parent

Outcome = Literal["open", "refused", "silent"]


@dataclass(frozen=True)
class Event:
    """Something that reached a server of the network.

    :param kind: ``dns`` (clear text, any of the ports), ``doh``, ``dhcp`` or ``tcp`` (a connection, then what it said).
    :param peer: the address it came from; for ``doh`` that of dnsdist.
    :param address: the address it went to.
    :param asked: for DNS, ``NAME TYPE`` of each question; names are absolute and in lower case.
    """

    time: float
    kind: str
    transport: str
    peer: str
    peer_port: int
    address: str
    port: int
    data: str
    asked: list[str]

    def __str__(self) -> str:
        said = ", ".join(self.asked) or bytes.fromhex(self.data)[:60].decode("ascii", "replace")
        return f"{self.kind} {self.peer} -> {self.address} {self.transport}/{self.port} {said}".rstrip()


class Sink:
    """What a machine should never reach, and what reached it all the same: every address and name leads here."""

    def __init__(self, network: "Network") -> None:
        self.address, self.address_v6 = SERVERS_V4["sink"], SERVERS_V6["sink"]
        self._network = network

    def mark(self) -> int:
        """Return the present position, for the others."""
        return self._network.mark()

    def queries(self, since: int = 0) -> list[Event]:
        """Return the DNS queries that arrived in clear text, to any address. They were answered."""
        return self._network.events("dns", since=since)

    def connections(self, since: int = 0) -> list[Event]:
        """Return the TCP connections that arrived (ports `wire.TCP_PORTS`); a second event holds what one said."""
        return self._network.events("tcp", since=since)

    def wait_for(self, containing: str, since: int = 0, timeout: float = 30) -> Event:
        """Wait for an event of either kind whose one-line form contains a text, and return it.

        :raises MachineError: when none arrived within `timeout` seconds, with those that did.
        """
        return self._network.wait_for("dns", "tcp", since=since, timeout=timeout, containing=containing)[0]


class Network:
    """The network of a test session. Machines plug in with :meth:`netdev`."""

    def __init__(self, folder: Path, tools: Tools) -> None:
        """Prepare a network in `folder`, which is its own; nothing is started yet."""
        self.folder = folder
        self.tools = tools
        self._process: Guarded | None = None
        self._prefix: list[str] = []

    def start(self) -> None:
        """Make the namespace and start its servers.

        :raises MachineError: when the host does not let users make namespaces, with its own words.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("ready", "cable.sock"):
            (self.folder / name).unlink(missing_ok=True)
        setup = self.folder / "ip.batch"
        setup.write_text("\n".join(_addresses()) + "\n")
        # The namespace's own root opens the low ports to all: servers of the tools tree run in a sandbox of their own.
        steps = [
            "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start",
            f"echo $$ >{shlex.quote(str(self.folder / 'pid'))}",
            shlex.join(self.tools.command("ip", "-batch", str(setup))),
            f"exec {shlex.join([sys.executable, '-m', 'qemu.wire', str(self.folder)])}",
        ]
        command = ["unshare", "--user", "--map-root-user", "--net", "--", "sh", "-c", " && ".join(steps)]
        self._process = Guarded(["env", f"PYTHONPATH={_ROOT}", *command], self.folder / "wire.log")
        if not self._process.wait_for(self.folder / "ready", 20):
            said = self._process.said()
            self.close()
            raise MachineError(f"the network for the checks did not come up (it needs user namespaces): {said}")
        pid = (self.folder / "pid").read_text().strip()
        self._prefix = ["nsenter", f"--target={pid}", "--user", "--net", "--preserve-credentials", "--"]

    def close(self) -> None:
        """Take it down, and with it whatever runs in it."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def netdev(self) -> str:
        """Return the value of QEMU's -netdev that plugs a machine in."""
        path = str(self.folder / "cable.sock").replace(",", ",,")
        return f"stream,server=off,addr.type=unix,addr.path={path},reconnect-ms=1000"

    def enter(self, *argv: str) -> list[str]:
        """Return the host command line that runs `argv`, a program of this host, inside the network."""
        assert self._prefix, "the network is not started"
        return [*self._prefix, *argv]

    def enter_tool(self, *argv: str) -> list[str]:
        """Return the host command line that runs `argv`, a program of the tools tree, inside the network."""
        return self.enter(*self.tools.command(*argv))

    def resolve(self, names: dict[str, list[str]]) -> None:
        """Give names addresses of their own; every other name leads to the sink."""
        path = self.folder / "names.json"
        known: dict[str, list[str]] = json.loads(path.read_text()) if path.exists() else {}
        absolute = {f"{name.rstrip('.').lower()}.": addresses for name, addresses in names.items()}
        new = path.with_suffix(".new")
        new.write_text(json.dumps(known | absolute))
        new.rename(path)

    # --- What arrived ----------------------------------------------------------------------------------------------

    def mark(self) -> int:
        """Return the present position, for :meth:`events`."""
        return len(self._lines())

    def events(self, *kinds: str, since: int = 0) -> list[Event]:
        """Return what reached the servers after a mark, of some kinds or of all."""
        events = [Event(**json.loads(line)) for line in self._lines()[since:]]
        return [event for event in events if not kinds or event.kind in kinds]

    def wait_for(self, *kinds: str, since: int = 0, timeout: float = 30, containing: str = "") -> list[Event]:
        """Wait for an event whose one-line form contains a text; returns all that fit.

        :raises MachineError: when none arrived within `timeout` seconds, with those that did.
        """
        timeout = patience.of(timeout)
        deadline = time.monotonic() + timeout
        while True:
            events = self.events(*kinds, since=since)
            found = [event for event in events if containing in str(event)]
            if found:
                return found
            if time.monotonic() > deadline:
                arrived = "\n".join(map(str, events)) or "nothing"
                raise MachineError(f"no {containing or kinds!r} arrived within {timeout:.0f} s, but:\n{arrived}")
            time.sleep(0.2)

    def _lines(self) -> list[str]:
        path = self.folder / "events.jsonl"
        text = path.read_text() if path.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()

    # --- A neighbour that tries the machine's doors ----------------------------------------------------------------

    def knock(
        self, address: str, ports: Iterable[int], transport: Literal["tcp", "udp"] = "tcp", timeout: float = 5
    ) -> dict[int, Outcome]:
        """Try to reach ports of a machine as a neighbour on its network would.

        :param timeout: seconds for each port.
        :returns: ``open`` (accepted, or answered a datagram), ``refused``, or ``silent``.
        """
        request = json.dumps({"address": address, "ports": sorted(set(ports)), "transport": transport})
        command = self.enter(sys.executable, str(_ROOT / "qemu" / "knock.py"), str(timeout))
        done = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MachineError(f"the neighbour failed: {done.stderr.strip()}")
        return {int(port): outcome for port, outcome in json.loads(done.stdout).items()}

    def __enter__(self) -> "Network":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _addresses() -> list[str]:
    """Return the set-up of the namespace, as lines of ``ip -batch``."""
    lines = ["link set lo up", f"link add {wire.STACK} type veth peer name {wire.SWITCH}"]
    lines += [f"link set {wire.SWITCH} addrgenmode none"]  # the switch says nothing of its own
    lines += [f"link set {end} up" for end in (wire.STACK, wire.SWITCH)]
    for address in (dhcp.ROUTER, dhcp.DNS):
        lines.append(f"addr add {address}/{dhcp.NETWORK.prefixlen} dev {wire.STACK}")
    for address_v6 in (dhcp.ROUTER_V6, dhcp.DNS_V6):
        lines.append(f"addr add {address_v6}/{dhcp.PREFIX.prefixlen} dev {wire.STACK} nodad")
    lines += [f"addr add {address}/32 dev lo" for address in SERVERS_V4.values()]
    lines += [f"addr add {address}/128 dev lo nodad" for address in SERVERS_V6.values()]
    everywhere = ipaddress.IPv4Network("0.0.0.0/0").address_exclude(dhcp.NETWORK)
    multicast = ipaddress.IPv4Network("224.0.0.0/3")
    for part in everywhere:
        for piece in part.address_exclude(multicast) if multicast.subnet_of(part) else [part]:
            lines.append(f"route replace local {piece} dev lo table local")
    lines.append("route add local 2000::/3 dev lo table local")
    return lines
