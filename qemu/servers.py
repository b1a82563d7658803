"""The servers that an image may talk to: DNS over HTTPS (dnsdist) and authenticated time (chronyd), inside a network.

Both are programs of the tools tree, with certificates of the session's own authority.
"""

import base64
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from qemu.authority import Authority
from qemu.errors import MachineError
from qemu.net import SERVERS_V4, SERVERS_V6, Event, Network
from qemu.patience import patience
from qemu.process import Guarded
from qemu.wire import BACKEND_PORT

DOH_NAME = "doh.test"
DOH_PATH = "/dns-query"
TIME_NAME = "time.test"

_DNSDIST = """\
setSecurityPollSuffix("")
setLocal("127.0.0.1:5301")
setACL({{"0.0.0.0/0", "::/0"}})
newServer({{address="127.0.0.1:{backend}"}}):setUp()
for _, address in ipairs({{"{v4}:443", "[{v6}]:443"}}) do
  addDOHLocal(address, "{chain}", "{key}", "{path}")
end
"""

_CHRONY = """\
local stratum 1
allow all
bindaddress {v4}
ntsserverkey {key}
ntsservercert {chain}
ntsprocesses 0
ntsdumpdir {folder}
cmdport 0
bindcmdaddress /
pidfile {folder}/chronyd.pid
driftfile {folder}/drift
"""


class _Server:
    """A program of the tools tree that serves a port inside a network."""

    def __init__(self, network: Network, folder: Path, command: Sequence[str], port: tuple[str, int]) -> None:
        self.network = network
        self._log = folder / f"{command[0]}.log"
        self._command = command
        self._port = port
        self._process: Guarded | None = None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    def start(self) -> None:
        """Start it, and wait until it accepts connections.

        :raises MachineError: when it does not, with its own words.
        """
        if self.running:
            return
        self._process = Guarded(self.network.enter_tool(*self._command), self._log)
        address, port = self._port
        deadline = time.monotonic() + patience.of(20)
        while self.network.knock(address, [port], timeout=2)[port] != "open":
            if not self.running or time.monotonic() > deadline:
                said = self._process.said()
                self.stop()
                raise MachineError(f"{self._command[0]} did not start: {said}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Kill it: its port refuses connections from now on."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class DohServer(_Server):
    """A person's own DNS-over-HTTPS server, and what it was asked.

    :ivar stamp: its ``sdns://`` address with IP address and name, so that no other resolver is needed to find it.
    :ivar ca_pem: the certificate of the authority that vouches for it.
    """

    def __init__(self, network: Network, authority: Authority) -> None:
        folder = network.folder / "doh"
        chain, key = authority.issue(folder, [DOH_NAME, SERVERS_V4["doh"], SERVERS_V6["doh"]])
        config = folder / "dnsdist.conf"
        addresses = {"v4": SERVERS_V4["doh"], "v6": SERVERS_V6["doh"]}
        config.write_text(_DNSDIST.format(backend=BACKEND_PORT, chain=chain, key=key, path=DOH_PATH, **addresses))
        command = ("dnsdist", "--supervised", "--disable-syslog", "--config", str(config))
        super().__init__(network, folder, command, (SERVERS_V4["doh"], 443))
        self.address = SERVERS_V4["doh"]
        self.stamp = stamp(f"{self.address}:443", DOH_NAME, DOH_PATH)
        self.ca_pem = authority.pem

    def mark(self) -> int:
        """Return the present position, for :meth:`queries`."""
        return self.network.mark()

    def queries(self, since: int = 0) -> list[Event]:
        """Return the queries that it got after a mark; ``event.asked`` holds ``NAME TYPE``."""
        return self.network.events("doh", since=since)

    def names(self, since: int = 0) -> set[str]:
        """Return the names that it was asked for after a mark, absolute and in lower case."""
        return {question.split(" ")[0] for event in self.queries(since) for question in event.asked}

    def wait_for(self, name: str, since: int = 0, timeout: float = 30) -> Event:
        """Wait until it is asked for a name.

        :raises MachineError: when it is not, within `timeout` seconds, with what it was asked.
        """
        wanted = f"{name.rstrip('.').lower()}. "
        return self.network.wait_for("doh", since=since, timeout=timeout, containing=wanted)[0]


class TimeServer(_Server):
    """A server of authenticated time (NTS, RFC 8915) that also answers plain NTP."""

    def __init__(self, network: Network, authority: Authority, names: Sequence[str] = (TIME_NAME,)) -> None:
        """Prepare it.

        :param names: what its certificate is good for; these names resolve to it.
        """
        folder = network.folder / "time"
        self.address = SERVERS_V4["time"]
        chain, key = authority.issue(folder, [*names, self.address])
        config = folder / "chrony.conf"
        config.write_text(_CHRONY.format(v4=self.address, chain=chain, key=key, folder=folder))
        # The namespace's root is whoever runs the checks (-U: do not insist); -x: the host's clock is not touched.
        command = ("chronyd", "-d", "-x", "-U", "-u", "root", "-f", str(config))
        super().__init__(network, folder, command, (self.address, 4460))
        self.names = tuple(names)
        self.ca_pem = authority.pem
        network.resolve({name: [self.address] for name in names})


def stamp(address: str, name: str, path: str) -> str:
    """Return a DNS stamp of a DNS-over-HTTPS server (https://dnscrypt.info/stamps-specifications).

    :param address: IP address, with a port.
    """
    parts = [address.encode(), None, name.encode(), path.encode()]
    data = struct.pack("<BQ", 2, 0)  # DoH; no properties are claimed
    for part in parts:
        data += b"\0" if part is None else bytes([len(part)]) + part
    return "sdns://" + base64.urlsafe_b64encode(data).decode().rstrip("=")
