"""Breaks of the network."""

from tests.breaks.model import Boot, Break, Edit, listener

LINK = "link=$(ls /sys/class/net | grep -v '^lo$' | head -n 1)"


def settings(text: str, after: str = "") -> str:
    """Return a command that puts lines behind those of the network, and takes a new address."""
    folder = "/run/systemd/network/80-tau-wired.network.d"
    return (
        f"{LINK}; mkdir -p {folder}; printf '{text}' >{folder}/99-break.conf; networkctl reload;"
        f" networkctl reconfigure $link; {after or 'sleep 1'}"
    )


_LEASE = (
    "ip -4 address flush dev $link; for i in {1..60}; do ip -4 route show default | grep -q . && break; sleep 1; done"
)

BREAKS = [
    Break(
        "test_it_has_addresses_and_a_route",
        "no DHCP",
        "ip -4 route",
        guest=settings("[Network]\\nDHCP=no\\n", "ip -4 address flush dev $link"),
    ),
    Break(
        "test_it_has_addresses_and_a_route",
        "no router advertisements",
        "ip -6 route",
        guest=settings("[Network]\\nIPv6AcceptRA=no\\n", "ip -6 route flush default || true"),
    ),
    Break(
        "test_it_has_addresses_and_a_route",
        "no temporary addresses",
        "temporary",
        guest=settings("[Network]\\nIPv6PrivacyExtensions=no\\n", "ip -6 address flush dev $link scope global"),
    ),
    Break(
        "test_a_cable_that_comes_back",
        "a lost carrier is not noticed",
        "! ",
        guest=settings("[Network]\\nIgnoreCarrierLoss=yes\\n"),
    ),
    Break(
        "test_the_initrd_has_no_network",
        "networkd runs in the initrd",
        "not in initrd",
        image=tuple(
            Edit(
                f"network/initrd/usr/lib/systemd/system/systemd-networkd.{kind}.d/10-not-in-the-initrd.conf",
                "^ConditionPathExists=.*",
            )
            for kind in ("service", "socket")
        ),
    ),
    Break(
        "test_no_packet_carries_the_name_or_number_of_the_machine",
        "requests that are not anonymous",
        "<= ANONYMOUS",
        guest=settings("[DHCPv4]\\nAnonymize=no\\nSendHostname=yes\\nClientIdentifier=mac\\n", _LEASE),
    ),
    Break(
        "test_no_packet_carries_the_name_or_number_of_the_machine",
        "an identifier made from the machine's",
        r"ANONYMOUS|options.get.61|machine_id",
        guest=settings("[DHCPv4]\\nAnonymize=no\\nSendHostname=no\\nClientIdentifier=duid\\n", _LEASE),
    ),
    Break(
        "test_no_packet_carries_the_name_or_number_of_the_machine",
        "the machine's number leaves in a datagram",
        "machine_id not in",
        guest="cat /etc/machine-id >/dev/udp/192.0.2.80/9; sleep 1",
    ),
    Break(
        "test_no_address_is_made_from_the_card_s",
        "addresses of the card's number",
        "eui64",
        guest=settings(
            "[IPv6AcceptRA]\\nToken=eui64\\n",
            "for i in {1..30}; do ip -6 -oneline address show scope global | grep -q ff:fe && break; sleep 1; done",
        ),
    ),
    Break(
        "test_no_address_is_made_from_the_card_s",
        "a link's address of the card's number",
        "eui64",
        guest=settings(
            "[Network]\\nIPv6LinkLocalAddressGenerationMode=eui64\\n",
            "ip link set $link down; sleep 1; ip link set $link up; sleep 15",
        ),
    ),
    Break(
        "test_the_card_s_own_address_is_as_chosen",
        "another hardware address",
        "persistent",
        guest=f"{LINK}; ip link set dev $link address 52:54:00:99:99:99",
    ),
    Break(
        "test_no_name_is_taken_from_or_told_to_the_local_network",
        "NetBIOS asks for a name",
        "137",
        guest="printf x >/dev/udp/10.0.2.2/137; sleep 1",
    ),
    Break(
        "test_no_name_is_taken_from_or_told_to_the_local_network",
        "something listens for LLMNR",
        "--listening",
        guest=listener("5355", "--datagram"),
    ),
    Break(
        "test_its_own_names_need_no_resolver",
        "no names in /etc/hosts",
        "localhost|hostname",
        guest=": >/etc/hosts",
    ),
    Break(
        "test_its_own_names_need_no_resolver",
        "another address of its own",
        "hostname",
        guest="sed -i s/127.0.1.1/127.0.0.9/ /etc/hosts",
    ),
    Break(
        "test_a_machine_without_a_network_starts",
        "the boot waits for a network",
        "wait-online",
        boot=Boot(
            credentials={
                "systemd.unit-dropin.multi-user.target~60-tau-break": b"[Unit]\n"
                b"Wants=systemd-networkd-wait-online.service\nAfter=systemd-networkd-wait-online.service\n",
                "systemd.unit-dropin.systemd-networkd-wait-online.service": b"[Service]\nExecStart=\n"
                b"ExecStart=/usr/lib/systemd/systemd-networkd-wait-online --timeout=20\n",
            }
        ),
    ),
    Break(
        "test_a_machine_without_a_network_starts",
        "a link from nowhere",
        "class/net",
        boot=Boot(command="ip link add nowhere type veth peer name else"),
    ),
]
WITHOUT: dict[str, str] = {}
