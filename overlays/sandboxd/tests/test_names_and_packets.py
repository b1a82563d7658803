"""What apps send: which name they ask for, and where to."""

import ipaddress
import re
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tau import link
from tau.daemon import dns
from tau.daemon.packets import Attempt, attempts

from overlays.sandboxd.author.tools import SOURCE

RULES = (SOURCE.parent.parent / "sandboxd-network/root/usr/lib/tau/sandbox/network.nft").read_text()


def query(*labels: bytes, flags: int = 0x0100, count: int = 1) -> bytes:
    name = b"".join(bytes([len(each)]) + each for each in labels)
    return struct.pack("!6H", 0x1234, flags, count, 0, 0, 0) + name + b"\0" + struct.pack("!2H", 1, 1)


def test_the_name_that_is_asked_for() -> None:
    assert dns.question(query(b"www", b"example", b"org")).name == "www.example.org"
    assert dns.question(query()).name == "."
    assert dns.question(query(b"a\x1b[2J", "ü".encode(), b"a.b")).name == r"a\027\0912J.\195\188.a\046b"
    assert dns.question(query(b"x") + b"additional").end == len(query(b"x"))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        query(b"x")[:11],
        query(b"x")[:-1],
        query(b"x", flags=0x8000),
        query(b"x", flags=0x2800),
        query(b"x", count=2),
        query(*[b"a" * 63] * 4),
        struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c" + struct.pack("!2H", 1, 1),
    ],
)
def test_what_is_no_question(message: bytes) -> None:
    with pytest.raises(dns.DnsError):
        dns.question(message)


@given(st.binary(max_size=600))
def test_any_message_is_read_or_refused(message: bytes) -> None:
    try:
        found = dns.question(message)
    except dns.DnsError:
        pass
    else:
        assert found.name.isascii() and found.name.isprintable() and len(found.name) <= 4 * 255
    answer = dns.refusal(message, dns.REFUSED)
    assert (len(message) < 12) == (answer == b"")
    assert not answer or (answer[:2] == message[:2] and answer[3] & 0xF == dns.REFUSED and dns.answers(answer, message))


def test_a_refusal_repeats_the_question_alone() -> None:
    asked = query(b"www", b"example")
    answer = dns.refusal(asked + b"more", dns.SERVER_FAILURE)
    assert answer[12:] == asked[12:] and struct.unpack("!6H", answer[:12]) == (0x1234, 0x8182, 1, 0, 0, 0)


def packet(source: str, target: str, port: int, protocol: int = socket.IPPROTO_TCP) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 60, 0, 0, 64, protocol, 0)
    ends = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(target).packed
    return header + ends + struct.pack("!HH", 40000, port) + bytes(16)


def told(content: bytes, mark: int, kind: int = 4 << 8) -> bytes:
    def attribute(number: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)

    body = struct.pack("!BBH", 2, 0, 7465) + attribute(1, b"\x08\x00\x02\x00") + attribute(2, struct.pack("!I", mark))
    body += attribute(9, content)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def test_where_a_packet_goes() -> None:
    told_two = told(packet("198.19.1.2", "192.0.2.80", 443), 1) + told(
        packet("198.19.255.254", "10.0.2.2", 53, socket.IPPROTO_UDP), 2
    )
    assert attempts(told_two) == [
        Attempt(0x102, "network", "192.0.2.80, port 443 (TCP)"),
        Attempt(0xFFFE, "lan", "10.0.2.2, port 53 (UDP)"),
    ]
    assert attempts(told(packet("198.19.1.2", "192.0.2.80", 0, socket.IPPROTO_ICMP), 1)) == [
        Attempt(0x102, "network", "192.0.2.80")
    ]


@pytest.mark.parametrize(
    "data",
    [
        told(packet("10.0.2.15", "192.0.2.80", 443), 1),
        told(packet("198.19.1.2", "192.0.2.80", 443), 3),
        told(packet("198.19.1.2", "192.0.2.80", 443), 0),
        told(packet("198.19.1.2", "192.0.2.80", 443), 1, kind=2),
        told(b"\x60" + bytes(60), 1),
        told(b"", 1),
    ],
)
def test_what_is_no_apps_is_left_out(data: bytes) -> None:
    assert attempts(data) == []


@given(st.binary(max_size=200), st.binary(max_size=64))
def test_whatever_is_told_is_read(data: bytes, content: bytes) -> None:
    attempts(data)
    attempts(told(content, 1) + data)


def test_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "LINKS", tmp_path)
    (tmp_path / "1.2").symlink_to(link.target(7))
    for name, target in (("0.1", "../../etc"), ("0.2", link.target(7) + "/x"), ("0.3", "../instances/7")):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "README").write_text("")
    assert link.every() == {0x102: 7}
    assert link.read(0x102) == 7 and link.read(0x103) is None
    assert (link.text(0x102), link.device(0xFFFE)) == ("1.2", "tau-255.254")
    assert link.of_address("198.19.1.2") == 0x102
    assert [link.of_address(each) for each in ("198.18.0.1", "10.0.2.15", "::1")] == [None] * 3


def test_the_local_networks_are_said_twice_and_alike() -> None:
    """In the rules, and where connections are ended."""
    elements = RULES.partition("elements = {")[2].partition("}")[0]
    assert [each.strip() for each in elements.split(",")] == list(link.LOCAL)


def test_the_number_of_its_user_is_said_twice_and_alike() -> None:
    """Where the user is made, and in the rules."""
    made = (SOURCE.parent / "root/usr/lib/sysusers.d/tau-sandboxd.conf").read_text()
    assert re.findall(r"^u sandboxd (\d+) ", made, re.MULTILINE) == re.findall(
        r"^define sandboxd = (\d+)$", RULES, re.MULTILINE
    )
