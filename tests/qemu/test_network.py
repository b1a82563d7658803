"""The network of the checks as a machine would use it, without a machine: a program of this host plays its part."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from image.toolbox import Toolbox
from qemu.authority import Authority
from qemu.errors import MachineError
from qemu.net import Network, Sink
from qemu.servers import DohServer, TimeServer

# It needs the tools tree, as a machine does.
pytestmark = pytest.mark.boot

_ASK = """
import json, sys, dns.message, dns.query
address, name, way = sys.argv[1:]
answer = getattr(dns.query, way)(dns.message.make_query(name, "A"), address, timeout=5)
print(json.dumps([str(item) for rrset in answer.answer for item in rrset]))
"""


def ask(network: Network, address: str, name: str, way: str) -> list[str]:
    done = subprocess.run(network.enter(sys.executable, "-c", _ASK, address, name, way), capture_output=True, text=True)
    answer: list[str] = json.loads(done.stdout or f"[{done.stderr!r}]")
    return answer


@pytest.mark.parametrize("way", ["udp", "tcp"])
@pytest.mark.parametrize("address", ["9.9.9.9", "10.0.2.3", "192.168.1.1", "2620:fe::fe", "fd7a:7461:7500::3"])
def test_a_query_in_clear_text_reaches_the_sink_wherever_it_goes(
    network: Network, sink: Sink, address: str, way: str
) -> None:
    mark = sink.mark()
    assert ask(network, address, "leak.example", way) == ["192.0.2.80"]
    event = sink.wait_for("leak.example", since=mark)
    assert (event.kind, event.transport, event.address, event.asked) == ("dns", way, address, ["leak.example. A"])


def test_nothing_leaves(network: Network) -> None:
    links = json.loads(subprocess.check_output(network.enter_tool("ip", "-json", "link")))
    assert {link["ifname"] for link in links} == {"lo", "tau0", "tau1"}
    here, there = (
        Path("/proc/self/ns/net").readlink(),
        subprocess.check_output(network.enter("readlink", "/proc/self/ns/net"), text=True).strip(),
    )
    assert str(here) != there


def test_the_doh_server_answers_those_who_trust_it_and_can_be_stopped(
    network: Network, doh_server: DohServer, tmp_path: Path
) -> None:
    authority, query = tmp_path / "ca.pem", "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"

    def curl(ca: bytes) -> int:
        authority.write_bytes(ca)
        command = ["curl", "--silent", "--cacert", str(authority), "--resolve", f"doh.test:443:{doh_server.address}"]
        done = subprocess.run(
            network.enter_tool(*command, "--max-time", "10", f"https://doh.test/dns-query?dns={query}"),
            capture_output=True,
        )
        return done.returncode

    mark = doh_server.mark()
    assert curl(Authority("other").pem) == 60  # "Peer certificate cannot be authenticated", curl(1)
    assert doh_server.names(mark) == set()
    assert curl(doh_server.ca_pem) == 0
    assert doh_server.names(mark) == {"www.example.com."}
    with pytest.raises(MachineError, match=r"(?s)no .never\.test.*www\.example\.com"):
        doh_server.wait_for("never.test", since=mark, timeout=0.5)
    doh_server.stop()
    assert curl(doh_server.ca_pem) == 7  # "Failed to connect"


def test_the_time_server_proves_who_it_is(network: Network, time_server: TimeServer, tmp_path: Path) -> None:
    assert ask(network, "10.0.2.3", "time.test", "udp") == [time_server.address]
    (tmp_path / "ca.pem").write_bytes(time_server.ca_pem)
    lines = [f"server {time_server.address} iburst nts certset 1", f"ntstrustedcerts 1 {tmp_path}/ca.pem"]
    lines += [f"pidfile {tmp_path}/pid", "cmdport 0", "bindcmdaddress /"]
    (tmp_path / "chrony.conf").write_text("\n".join(lines) + "\n")
    command = ("chronyd", "-Q", "-U", "-u", "root", "-d", "-t", "15", "-f", str(tmp_path / "chrony.conf"))
    done = subprocess.run(network.enter_tool(*command), capture_output=True, text=True)
    assert "System clock wrong by" in done.stdout + done.stderr


def test_a_neighbour_tells_open_from_refused_from_silent(network: Network) -> None:
    assert network.knock("8.8.8.8", [80, 81]) == {80: "open", 81: "refused"}
    assert network.knock("10.0.2.200", [80], timeout=0.5) == {80: "silent"}
    assert network.knock("8.8.8.8", [9], "udp") == {9: "refused"}


def test_a_host_without_namespaces_is_told_so(
    tmp_path: Path, toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(MachineError, match=r"user namespaces.*Operation not permitted"):
        Network(tmp_path / "network", toolbox).start()
