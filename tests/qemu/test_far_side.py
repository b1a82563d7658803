"""The far side of the cable: DHCP and DNS answers, the stamp, certificates. The whole of it is in test_network.py."""

import asyncio
import base64
import ipaddress
import socket
import struct
from pathlib import Path

import dns.message
import dns.rcode
import dpkt
import pytest
from cryptography import x509

from qemu import dhcp
from qemu.authority import Authority
from qemu.names import Names
from qemu.servers import stamp
from qemu.wire import Switch

MAC = bytes.fromhex("525400746103")


def message(kind: int, *options: tuple[int, bytes], ciaddr: int = 0) -> bytes:
    opts = [(dpkt.dhcp.DHCP_OPT_MSGTYPE, bytes([kind])), *options]
    return bytes(dpkt.dhcp.DHCP(xid=99, chaddr=MAC, ciaddr=ciaddr, opts=opts))


def answered(data: bytes) -> tuple[int, str, dict[int, bytes]]:
    reply = dpkt.dhcp.DHCP(dhcp.reply(data))
    options = dict(reply.opts)
    assert (reply.op, reply.xid, reply.chaddr[:6]) == (2, 99, MAC)
    return options[dpkt.dhcp.DHCP_OPT_MSGTYPE][0], str(ipaddress.IPv4Address(reply.yiaddr)), options


def test_a_machine_is_offered_and_given_its_address() -> None:
    kind, address, options = answered(message(dpkt.dhcp.DHCPDISCOVER))
    assert (kind, address) == (dpkt.dhcp.DHCPOFFER, "10.0.2.18")
    assert options[dpkt.dhcp.DHCP_OPT_DNS_SVRS] == dhcp.DNS.packed
    assert struct.unpack("!I", options[dpkt.dhcp.DHCP_OPT_LEASE_SEC]) == (dhcp.LEASE,)
    wanted = (dpkt.dhcp.DHCP_OPT_REQ_IP, ipaddress.IPv4Address(address).packed)
    assert answered(message(dpkt.dhcp.DHCPREQUEST, wanted))[:2] == (dpkt.dhcp.DHCPACK, address)
    renewal = message(dpkt.dhcp.DHCPREQUEST, ciaddr=int(ipaddress.IPv4Address(address)))
    assert answered(renewal)[:2] == (dpkt.dhcp.DHCPACK, address)


def test_an_address_of_another_network_is_refused() -> None:
    wanted = (dpkt.dhcp.DHCP_OPT_REQ_IP, bytes([192, 168, 1, 7]))
    assert answered(message(dpkt.dhcp.DHCPREQUEST, wanted))[:2] == (dpkt.dhcp.DHCPNAK, "0.0.0.0")


@pytest.mark.parametrize("data", [b"", b"\1" * 40, message(dpkt.dhcp.DHCPRELEASE)])
def test_what_needs_no_answer_gets_none(data: bytes) -> None:
    assert dhcp.reply(data) == b""


def test_the_router_advertises_a_prefix_and_a_name_server() -> None:
    data = dhcp.advertisement()
    assert data[0] == 134 and len(data) == 16 + 32 + 24
    assert dhcp.PREFIX.network_address.packed in data and data.endswith(dhcp.DNS_V6.packed)


def ask(names: Names, name: str, kind: str = "A") -> dns.message.Message:
    answer, asked = names.answer(dns.message.make_query(name, kind).to_wire())
    assert asked == [f"{name.lower().rstrip('.')}. {kind}"]
    return dns.message.from_wire(answer)


def test_every_name_leads_to_the_sink_unless_it_has_addresses(tmp_path: Path) -> None:
    file = tmp_path / "names.json"
    names = Names(file)
    assert ask(names, "Some.Where.org").answer[0][0].to_text() == "192.0.2.80"
    assert ask(names, "some.where.org", "AAAA").answer[0][0].to_text() == "2001:db8::80"
    file.write_text('{"time.test.": ["192.0.2.123"]}')
    assert ask(names, "time.test").answer[0][0].to_text() == "192.0.2.123"
    assert ask(names, "time.test", "AAAA").answer == []
    assert ask(names, "x.test.dnscrypt").rcode() == dns.rcode.NXDOMAIN
    assert names.answer(b"no query") == (b"", [])


def test_the_stamp_is_one() -> None:
    text = stamp("192.0.2.53:443", "doh.test", "/dns-query").removeprefix("sdns://")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert data == b"\2" + bytes(8) + b"\x0e192.0.2.53:443" + b"\0" + b"\x08doh.test" + b"\x0a/dns-query"


def test_a_certificate_is_the_authorities(tmp_path: Path) -> None:
    authority = Authority()
    chain, key = authority.issue(tmp_path, ["doh.test", "192.0.2.53"])
    certificate, above = x509.load_pem_x509_certificates(chain.read_bytes())
    certificate.verify_directly_issued_by(above)
    assert above == x509.load_pem_x509_certificate(authority.pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["doh.test"]
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match=r"signature|issuer|name"):
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(Authority("other").pem))


def test_the_switch_learns_who_is_where(tmp_path: Path) -> None:
    everyone, one, two, stack = b"\xff" * 6, b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", b"\2\0\0\0\0\3"
    ours, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)

    async def exchange() -> None:
        switch = Switch(ours)
        server = await asyncio.start_unix_server(switch.serve, tmp_path / "cable")
        first, second = [await asyncio.open_unix_connection(tmp_path / "cable") for _ in range(2)]

        async def received(machine: asyncio.StreamReader) -> bytes:
            (length,) = struct.unpack("!I", await asyncio.wait_for(machine.readexactly(4), 5))
            return await machine.readexactly(length)

        def send(machine: asyncio.StreamWriter, frame: bytes) -> None:
            machine.write(struct.pack("!I", len(frame)) + frame)

        send(first[1], everyone + one + b"\x08\x06 who is there")
        assert (await received(second[0])).endswith(b"who is there")
        assert far.recv(100).endswith(b"who is there")
        send(second[1], one + two + b"\x08\0 to one alone")
        assert (await received(first[0])).endswith(b"to one alone")
        send(second[1], stack + two + b"\x08\0 nobody said where")
        assert (await received(first[0])).endswith(b"nobody said where")
        assert far.recv(100).endswith(b"nobody said where"), "a frame for another machine came here"
        first[1].close()
        await asyncio.sleep(0.1)
        send(second[1], one + two + b"\x08\0 gone")
        await asyncio.sleep(0.1)
        assert far.recv(100).endswith(b"gone"), "who left is forgotten"
        second[1].close()
        server.close()

    asyncio.run(exchange())
    ours.close()
    far.close()
