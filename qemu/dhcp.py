"""The router that machines under test see: DHCP for IPv4, router advertisements for IPv6.

Both name a DNS server in clear text, as any network does: an image that obeys is caught by the capture.
"""

import asyncio
import contextlib
import ipaddress
import socket
import struct
from collections.abc import Callable

import dpkt

ROUTER = ipaddress.IPv4Address("10.0.2.2")
NETWORK = ipaddress.IPv4Network("10.0.2.0/24")
DNS = ipaddress.IPv4Address("10.0.2.3")
PREFIX = ipaddress.IPv6Network("fd7a:7461:7500::/64")
ROUTER_V6 = ipaddress.IPv6Address("fd7a:7461:7500::2")
DNS_V6 = ipaddress.IPv6Address("fd7a:7461:7500::3")
#: Seconds of a lease: a machine renews after half of it.
LEASE = 240
#: What the network calls itself.
DOMAIN = "leak.test"
_BIND_TO_DEVICE = 25  # SO_BINDTODEVICE
_LIFETIME = 1800


def address_of(mac: bytes) -> ipaddress.IPv4Address:
    """Return the address that a machine is given: it follows from the last byte of its hardware address."""
    return NETWORK[15 + mac[-1] % 200]


class DhcpServer:
    """A DHCP server (RFC 2131) with one address for each hardware address."""

    def __init__(self, interface: str, record: Callable[..., None]) -> None:
        self._record = record
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, _BIND_TO_DEVICE, interface.encode())
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.socket.setblocking(False)
        self.socket.bind(("0.0.0.0", 67))  # noqa: S104 - the namespace's

    def serve(self) -> None:
        """Answer one message."""
        data, peer = self.socket.recvfrom(4096)
        answer = reply(data)
        self._record("dhcp", "udp", peer, str(ROUTER), 67, data, [])
        if answer:
            # A renewal comes from an address in use; everything else is broadcast, which needs no ARP.
            renewing = ipaddress.IPv4Address(data[12:16]) != ipaddress.IPv4Address(0)
            self.socket.sendto(answer, (str(ipaddress.IPv4Address(data[12:16])) if renewing else "255.255.255.255", 68))


def reply(data: bytes) -> bytes:
    """Return the answer to a DHCP message, or nothing for one that needs none."""
    try:
        asked = dpkt.dhcp.DHCP(data)
    except (dpkt.UnpackError, IndexError, struct.error):
        return b""
    options = dict(asked.opts)
    kind = options.get(dpkt.dhcp.DHCP_OPT_MSGTYPE, b"\0")[0]
    address = address_of(asked.chaddr[:6])
    wanted = options.get(dpkt.dhcp.DHCP_OPT_REQ_IP, asked.ciaddr.to_bytes(4, "big"))
    answers = {dpkt.dhcp.DHCPDISCOVER: dpkt.dhcp.DHCPOFFER, dpkt.dhcp.DHCPINFORM: dpkt.dhcp.DHCPACK}
    if kind == dpkt.dhcp.DHCPREQUEST:
        answers[kind] = dpkt.dhcp.DHCPACK if wanted == address.packed else dpkt.dhcp.DHCPNAK
    if kind not in answers:
        return b""
    common = [
        (dpkt.dhcp.DHCP_OPT_MSGTYPE, bytes([answers[kind]])),
        (dpkt.dhcp.DHCP_OPT_SERVER_ID, ROUTER.packed),
    ]
    lease = [
        (dpkt.dhcp.DHCP_OPT_LEASE_SEC, struct.pack("!I", LEASE)),
        (dpkt.dhcp.DHCP_OPT_NETMASK, NETWORK.netmask.packed),
        (dpkt.dhcp.DHCP_OPT_ROUTER, ROUTER.packed),
        (dpkt.dhcp.DHCP_OPT_DNS_SVRS, DNS.packed),
        (dpkt.dhcp.DHCP_OPT_DOMAIN, DOMAIN.encode()),
    ]
    refused = answers[kind] == dpkt.dhcp.DHCPNAK
    answer = dpkt.dhcp.DHCP(
        op=dpkt.dhcp.DHCP_OP_REPLY,
        xid=asked.xid,
        flags=asked.flags,
        ciaddr=asked.ciaddr,
        yiaddr=0 if refused else int(address),
        siaddr=int(ROUTER),
        chaddr=asked.chaddr,
        opts=common if refused else common + lease,
    )
    return bytes(answer)


def advertisement() -> bytes:
    """Return a router advertisement (RFC 4861) with the prefix and a DNS server (RFC 8106)."""
    head = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, _LIFETIME, 0, 0)
    prefix = struct.pack("!BBBBIII16s", 3, 4, PREFIX.prefixlen, 0xC0, 86400, 14400, 0, PREFIX.network_address.packed)
    server = struct.pack("!BBHI16s", 25, 3, 0, _LIFETIME, DNS_V6.packed)
    return head + prefix + server


async def advertise(interface: str) -> None:
    """Advertise the router for ever: every minute, and when a machine asks."""
    raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    raw.setsockopt(socket.SOL_SOCKET, _BIND_TO_DEVICE, interface.encode())
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    index = socket.if_nametoindex(interface)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    # Solicitations go to all routers, which this host joins for its own interface.
    group = socket.inet_pton(socket.AF_INET6, "ff02::2") + struct.pack("@I", index)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def heard() -> None:
        if raw.recv(4096)[:1] == b"\x85":
            asked.set()

    loop.add_reader(raw, heard)
    while True:
        with contextlib.suppress(OSError):  # the link may have just gone down
            raw.sendto(advertisement(), ("ff02::1", 0, 0, index))
        asked.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), 60)
