"""Packets in words, and the questions about them, on frames made by hand."""

import socket
import struct
from pathlib import Path

import dpkt
import pytest

from qemu.capture import HOUSEKEEPING, Allowed, Capture, frames
from qemu.commandline import Files

OURS, THEIRS = b"\x52\x54\0\x74\x61\0", b"\x02\0\0\0\0\1"
QUERY = bytes(dpkt.dns.DNS(id=7, qd=[dpkt.dns.DNS.Q(name="leak.example", type=1)]))


def v4(payload: dpkt.Packet | bytes, to: str = "9.9.9.9", protocol: int = 17, source: bytes = OURS) -> bytes:
    packet = dpkt.ip.IP(src=socket.inet_aton("10.0.2.15"), dst=socket.inet_aton(to), p=protocol, data=payload)
    packet.len = len(packet)
    return bytes(dpkt.ethernet.Ethernet(src=source, dst=THEIRS, type=0x0800, data=packet))


def v6(payload: dpkt.Packet, to: str = "2620:fe::9", protocol: int = 17) -> bytes:
    ends = {"src": socket.inet_pton(socket.AF_INET6, "fe80::1"), "dst": socket.inet_pton(socket.AF_INET6, to)}
    packet = dpkt.ip6.IP6(**ends, nxt=protocol, plen=len(payload), hlim=64, data=payload)
    return bytes(dpkt.ethernet.Ethernet(src=OURS, dst=THEIRS, type=0x86DD, data=packet))


def udp(port: int, data: bytes = b"") -> dpkt.udp.UDP:
    return dpkt.udp.UDP(sport=40000, dport=port, ulen=8 + len(data), data=data)


def tcp(port: int, data: bytes = b"") -> dpkt.tcp.TCP:
    return dpkt.tcp.TCP(sport=40000, dport=port, flags=dpkt.tcp.TH_SYN, data=data)


def pcap(*data: bytes) -> bytes:
    records = [struct.pack("<4I", 1000 + n, 500000, len(each), len(each)) + each for n, each in enumerate(data)]
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records)


class Got(bytes):
    """A frame that came to the machine."""


def record(folder: Path, *data: bytes) -> None:
    Files(folder).packets.write_bytes(pcap(*data))
    Files(folder).sent.write_bytes(pcap(*(each for each in data if not isinstance(each, Got))))


def captured(folder: Path, *data: bytes) -> Capture:
    record(folder, *data)
    return Capture(Files(folder))


@pytest.mark.parametrize("port", [53, 853, 5353, 5355])
@pytest.mark.parametrize(
    "frame",
    [lambda p: v4(udp(p)), lambda p: v4(tcp(p), protocol=6), lambda p: v6(udp(p)), lambda p: v6(tcp(p), protocol=6)],
)
def test_clear_text_dns_is_found_on_every_port_and_protocol(tmp_path: Path, port: int, frame: object) -> None:
    found = captured(tmp_path, frame(port), v4(tcp(443), protocol=6)).clear_text_dns()  # type: ignore[operator]
    assert [packet.port for packet in found] == [port]


def test_a_query_to_an_odd_port_is_found(tmp_path: Path) -> None:
    assert len(captured(tmp_path, v4(udp(5300, QUERY)), v6(udp(9999, QUERY))).clear_text_dns()) == 2


def test_what_is_no_query_is_not_taken_for_one(tmp_path: Path) -> None:
    answer = bytes(dpkt.dns.DNS(id=7, qr=1, qd=[dpkt.dns.DNS.Q(name="leak.example")]))
    innocent = [v4(udp(123, b"\x23" + bytes(47))), v4(udp(443, bytes(range(200)))), v4(udp(67, bytes(300)))]
    assert captured(tmp_path, *innocent, v4(udp(40001, answer))).clear_text_dns() == []


def test_what_was_sent_to_the_machine_is_not_held_against_it(tmp_path: Path) -> None:
    capture = captured(tmp_path, Got(v4(udp(53))), v4(udp(67), "255.255.255.255"), Got(v4(udp(53), source=THEIRS)))
    assert capture.clear_text_dns() == [] and capture.unexpected() == []
    assert [packet.sent for packet in capture.packets()] == [False, True, False]


def test_what_is_sent_from_a_random_hardware_address_is_the_machines(tmp_path: Path) -> None:
    capture = captured(tmp_path, v4(udp(53), source=b"\x02\x13\x37\0\0\1"), v4(udp(53), source=THEIRS))
    assert len(capture.clear_text_dns()) == 2


def test_a_packet_in_one_line(tmp_path: Path) -> None:
    query, syn, far = captured(
        tmp_path, v4(udp(53, QUERY)), v4(tcp(80, b"GET"), "1.2.3.4", 6), v6(udp(123, b"x"))
    ).packets()
    assert str(query) == "#0 1000.500 sent udp 10.0.2.15:40000 -> 9.9.9.9:53 DNS leak.example"
    assert str(syn) == "#1 1001.500 sent tcp 10.0.2.15:40000 -> 1.2.3.4:80 [S] 3 bytes"
    assert str(far) == "#2 1002.500 sent udp [fe80::1]:40000 -> [2620:fe::9]:123 1 bytes"


def test_destinations(tmp_path: Path) -> None:
    capture = captured(tmp_path, v4(udp(53)), v4(tcp(443), "192.0.2.53", 6), v4(b"\x08\0" + bytes(6), "1.1.1.1", 1))
    assert capture.destinations() == {("udp", "9.9.9.9", 53), ("tcp", "192.0.2.53", 443), ("icmp", "1.1.1.1", 0)}


def test_unexpected_is_what_no_allowance_fits(tmp_path: Path) -> None:
    doh = Allowed("DNS over HTTPS", "tcp", ("192.0.2.53/32",), 443)
    good = [
        v4(tcp(443), "192.0.2.53", 6),
        v4(udp(67), "255.255.255.255"),
        v6(dpkt.icmp6.ICMP6(type=135), "ff02::1", 58),
    ]
    bad = [
        v4(tcp(443), "192.0.2.54", 6),
        v4(tcp(80), "192.0.2.53", 6),
        v4(udp(443), "192.0.2.53"),
        v6(dpkt.icmp6.ICMP6(type=128), "2620:fe::9", 58),
        v4(udp(67), "9.9.9.9"),
        OURS,  # not even a frame
        THEIRS + OURS + b"\x88\xb5" + b"own protocol",
    ]
    found = captured(tmp_path, *good, *bad).unexpected((*HOUSEKEEPING, doh))
    assert [packet.number for packet in found] == [3, 4, 5, 6, 7, 8, 9]
    # What can't be read is never innocent.
    assert [packet.number for packet in captured(tmp_path, *bad).unexpected([lambda _: True])] == [5, 6]
    assert captured(tmp_path, *bad[:1]).unexpected([lambda packet: packet.port == 443]) == []


def test_marks_and_a_file_that_grows(tmp_path: Path) -> None:
    capture = captured(tmp_path, v4(udp(53)))
    mark = capture.mark()
    assert mark == 1 and capture.packets(mark) == []
    record(tmp_path, v4(udp(53)), v4(udp(5353)))
    whole = Files(tmp_path).packets.read_bytes()
    Files(tmp_path).packets.write_bytes(whole[:-3])
    assert capture.packets(mark) == []
    Files(tmp_path).packets.write_bytes(whole)
    assert [packet.port for packet in capture.packets(mark)] == [5353]


def test_packets_of_earlier_boots_count(tmp_path: Path) -> None:
    capture = captured(tmp_path, v4(udp(1)), v4(udp(2)))
    mark = capture.mark()
    for port in (3, 4):
        Files(tmp_path).keep_packets()
        captured(tmp_path, v4(udp(port)))
    assert [packet.port for packet in capture.packets()] == [1, 2, 3, 4]
    assert [packet.port for packet in capture.packets(mark)] == [3, 4]


@pytest.mark.parametrize("data", [b"", b"\xd4\xc3\xb2\xa1", b"no pcap at all, but long enough for one"])
def test_what_is_no_capture_holds_nothing(data: bytes) -> None:
    assert frames(data) == []
