"""Breaks of the firewall."""

from tests.breaks.model import Boot, Break, Edit, drop_in, sed

RULES = "/usr/lib/tau/firewall.nft"

BREAKS = [
    Break(
        "test_nothing_answers_a_neighbour",
        "no rules",
        "silent",
        guest="nft delete table inet tau_firewall",
    ),
    Break(
        "test_nothing_answers_a_neighbour",
        "everything over IPv6 is let in",
        "silent",
        guest="nft insert rule inet tau_firewall inbound meta nfproto ipv6 accept",
    ),
    Break(
        "test_nothing_answers_a_neighbour",
        "a datagram is refused instead of dropped",
        "silent",
        guest="nft insert rule inet tau_firewall inbound udp dport 5353 reject",
    ),
    Break(
        "test_a_neighbour_would_have_been_answered",
        "something else drops, too",
        "open",
        guest="nft 'table inet x { chain x { type filter hook input priority 10; tcp dport 4711 drop; }; }'",
    ),
    Break(
        "test_a_file_of_rules_opens_a_port",
        "the folder of rules is not read",
        "open",
        guest=sed(RULES, "/include/d"),
    ),
    Break(
        "test_a_file_of_rules_opens_a_port",
        "everything is let in",
        "silent",
        guest=sed(RULES, "s/(hook input priority filter; policy) drop/\\1 accept/"),
    ),
    Break(
        "test_nothing_is_forwarded",
        "forwarding is on",
        "ip_forward",
        guest="sysctl -w net.ipv4.ip_forward=1",
    ),
    Break(
        "test_nothing_is_forwarded",
        "everything is let through",
        "expected to fail",
        guest="nft 'chain inet tau_firewall forward { policy accept; }'",
    ),
    Break(
        "test_a_ruleset_that_is_broken_leaves_the_old_one",
        "the old rules go before the new ones are read",
        "tau_firewall",
        guest="cp -a /usr/sbin/nft /run/true-nft; cat >/run/nft <<'END'\n#!/bin/bash\n"
        '[[ $1 != --file ]] || /run/true-nft flush ruleset\nexec /run/true-nft "$@"\nEND\n'
        "chmod 0755 /run/nft; mount --bind /run/nft /usr/sbin/nft",
    ),
    Break(
        "test_a_boot_without_its_rules_has_no_network",
        "the network does not wait for the rules",
        "systemd-networkd.service",
        image=(
            Edit("firewall/root/usr/lib/systemd/system/systemd-networkd.service.d/20-firewall.conf", "^Requires=.*"),
        ),
    ),
    Break(
        "test_a_boot_without_its_rules_has_no_network",
        "the network is asked for again and again",
        "systemd-networkd.socket",
        boot=Boot(credentials={"systemd.unit-dropin.systemd-networkd.socket~20-firewall": b"[Unit]\n"}),
    ),
    Break(
        "test_its_service_is_no_root",
        "the service is not confined",
        "< 2.0",
        guest=drop_in(
            "tau-firewall.service",
            "[Service]\\nDynamicUser=no\\nProtectSystem=no\\nProtectHome=no\\nSystemCallFilter=\\nRestrictNamespaces=no\\n",
        ),
    ),
]
WITHOUT: dict[str, str] = {}
