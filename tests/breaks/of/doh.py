"""Breaks of names over HTTPS."""

from tests.breaks.model import Break, drop_in

CONFIG = "/etc/dnscrypt-proxy/dnscrypt-proxy.toml"
_NO_GUARD = "nft delete table inet tau_dns"
_CLEAR = "echo 'nameserver 10.0.2.3' {} /etc/resolv.conf"
#: A query for example.org, as test_doh.py has it.
_QUERY = r"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01"


def _ask(address: str) -> str:
    return f"printf '{_QUERY}' >/dev/udp/{address}/53"


#: A program that asks the resolver of the lease, again and again.
_KEEPS_ASKING = f"{_NO_GUARD}; while {_ask('10.0.2.3')}; do sleep 0.1; done >/dev/null 2>&1 & sleep 2"


def _config(*edits: str) -> str:
    """Change the resolver's settings; they are below /etc, which can be written."""
    each = " ".join(f"-e '{edit}'" for edit in edits)
    return (
        f"cp {CONFIG} /run/before; sed -i -E {each} {CONFIG};"
        f" if cmp {CONFIG} /run/before; then echo nothing changed; exit 1; fi;"
        " systemctl restart dnscrypt-proxy; sleep 3"
    )


BREAKS = [
    Break(
        "test_a_name_is_asked_of_the_server_over_https",
        "no resolver",
        "getent",
        guest="systemctl stop dnscrypt-proxy",
    ),
    Break(
        "test_a_name_is_asked_of_the_server_over_https",
        "the lease's resolver is asked in clear text",
        "doh_server.wait_for",
        guest=f"{_NO_GUARD}; {_CLEAR.format('>')}",
    ),
    Break(
        "test_a_name_is_asked_of_the_server_over_https",
        "another program asks in clear text",
        "clear_text_dns",
        guest=_KEEPS_ASKING,
    ),
    Break(
        "test_nothing_was_asked_in_clear_text_since_power_on",
        "one query in clear text",
        "clear_text_dns",
        guest=f"{_NO_GUARD}; {_ask('192.0.2.80')}; sleep 1",
    ),
    Break(
        "test_a_machine_that_wakes_up_asks_nothing_in_clear_text",
        "it never sleeps",
        "suspend exit",
        guest="mount --bind /bin/true /usr/lib/systemd/systemd-sleep",
    ),
    Break(
        "test_a_machine_that_wakes_up_asks_nothing_in_clear_text",
        "a program asks in clear text",
        "clear_text_dns",
        guest=_KEEPS_ASKING,
    ),
    Break(
        "test_a_renewed_lease_brings_no_other_resolver",
        "the lease's resolver is taken",
        "nameservers",
        guest=_CLEAR.format(">>"),
    ),
    Break(
        "test_a_renewed_lease_brings_no_other_resolver",
        "the lease's resolver is asked",
        "clear_text_dns",
        guest=f"{_NO_GUARD}; {_CLEAR.format('>')}",
    ),
    Break(
        "test_names_of_the_local_network_are_not_told_to_the_server",
        "domains that the Internet does not have are asked for",
        "nas|router|10.0.2.2|leak|fd7a",
        guest=_config("s/^block_undelegated = true/block_undelegated = false/"),
    ),
    Break(
        "test_names_of_the_local_network_are_not_told_to_the_server",
        "names without a dot are asked for",
        "printer",
        guest=_config("s/^block_unqualified = true/block_unqualified = false/"),
    ),
    Break(
        "test_clear_text_names_do_not_leave",
        "no guard",
        r"== \[\]",
        guest=_NO_GUARD,
    ),
    Break(
        "test_the_capture_would_have_seen_it",
        "something else drops, too",
        "sink.wait_for",
        guest="nft 'table inet x { chain x { type filter hook output priority 10; udp dport 53 drop; }; }'",
    ),
    Break(
        "test_nor_do_those_of_whoever_the_machine_forwards_for",
        "the guard does not look at what is forwarded",
        r"== \[\]",
        guest="nft flush chain inet tau_dns forward",
    ),
    Break(
        ("test_a_server_that_is_gone_is_replaced_by_none", "test_without_the_resolver_there_are_no_names"),
        "the lease's resolver is the second choice",
        "expected to fail",
        guest=f"{_NO_GUARD}; {_CLEAR.format('>>')}",
    ),
    Break(
        "test_a_server_of_another_authority_is_not_believed",
        "the authority is among those of the system",
        "expected to fail",
        guest="install -m 0644 /run/credentials/@system/tau.doh.ca /etc/ssl/certs/tau-break.pem",
    ),
    Break(
        "test_it_listens_on_loopback_alone_and_without_privilege",
        "it listens to everybody",
        "127.0.0.1:53",
        guest=_config('s/^listen_addresses = .*/listen_addresses = ["0.0.0.0:53", "[::1]:53"]/'),
    ),
    Break(
        "test_it_listens_on_loopback_alone_and_without_privilege",
        "it runs as root",
        "_dnscrypt-proxy",
        guest=drop_in("dnscrypt-proxy.service", "[Service]\\nUser=root\\n", restart=True) + "; sleep 5",
    ),
    Break(
        "test_it_listens_on_loopback_alone_and_without_privilege",
        "it has one capability more",
        "CapEff",
        guest=drop_in(
            "dnscrypt-proxy.service",
            "[Service]\\nCapabilityBoundingSet=CAP_CHOWN\\nAmbientCapabilities=CAP_CHOWN\\n",
            restart=True,
        )
        + "; sleep 5",
    ),
    Break(
        "test_it_listens_on_loopback_alone_and_without_privilege",
        "its unit is not confined",
        "< 2.0",
        guest=drop_in(
            "dnscrypt-proxy.service",
            "[Service]\\nProtectSystem=no\\nProtectHome=no\\nPrivateDevices=no\\nSystemCallFilter=\\nRestrictNamespaces=no\\n",
        ),
    ),
    Break(
        "test_every_stamp_of_the_image_carries_an_address",
        "a stamp with a name alone",
        "would be looked up first",
        # DNS over HTTPS of dns.quad9.net, the address left out
        guest=f"sed -i '0,/^stamp.*/s,,stamp = \"sdns://AgMAAAAAAAAAAAANZG5zLnF1YWQ5Lm5ldAovZG5zLXF1ZXJ5\",' {CONFIG}",
    ),
    Break(
        "test_every_stamp_of_the_image_carries_an_address",
        "a server of DNSCrypt",
        "is not DNS over HTTPS",
        guest=f"sed -i '0,/sdns:..Ag/s//sdns:\\/\\/AQ/' {CONFIG}",
    ),
]
WITHOUT: dict[str, str] = {}
