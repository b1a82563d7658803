"""Breaks of the time."""

from tests.breaks.model import Break, drop_in, listener, sed

CONFIG = "/etc/chrony/chrony.conf"
SERVERS = "/etc/chrony/tau-servers"
_RESTART = "systemctl restart chrony; sleep 2"
_CA = "/etc/chrony/break.pem"
#: Sets the clock back at every boot, after PID 1 has set it to the date of the image.
_BACK = """\
printf '[Unit]\\nDefaultDependencies=no\\nAfter=local-fs.target\\nBefore=sysinit.target\\n[Service]\\nType=oneshot\\n\
ExecStart=/bin/date --set=2001-02-03\\n' >/etc/systemd/system/break.service
mkdir -p /etc/systemd/system/sysinit.target.wants
ln -s ../break.service /etc/systemd/system/sysinit.target.wants/break.service
"""

BREAKS = [
    Break(
        "test_it_runs_unprivileged_and_listens_to_nobody",
        "it runs as root",
        "_chrony",
        guest=drop_in("chrony.service", "[Service]\\nUser=root\\n")
        + "; sed -i 's/^confdir .*/&\\nuser root/' /etc/chrony/chrony.conf; systemctl restart chrony; sleep 2",
    ),
    Break(
        "test_it_runs_unprivileged_and_listens_to_nobody",
        "it has one capability more",
        "1 << 25",
        guest=drop_in(
            "chrony.service",
            "[Service]\\nAmbientCapabilities=CAP_NET_BIND_SERVICE\\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\\n",
            restart=True,
        )
        + "; sleep 2",
    ),
    Break(
        "test_it_runs_unprivileged_and_listens_to_nobody",
        "something listens on its port",
        "--listening",
        guest=listener("123", "--datagram"),
    ),
    Break(
        "test_it_runs_unprivileged_and_listens_to_nobody",
        "its unit is not confined",
        "< 2.0",
        guest=drop_in(
            "chrony.service",
            "[Service]\\nProtectSystem=no\\nProtectHome=no\\nPrivateDevices=no\\nSystemCallFilter=\\nRestrictNamespaces=no\\n",
        ),
    ),
    Break(
        "test_it_runs_unprivileged_and_listens_to_nobody",
        "it does not run",
        "is_running",
        guest="systemctl stop chrony",
    ),
    Break(
        "test_the_configured_servers_are_asked_for_nts_and_no_other",
        "the servers are asked without NTS",
        "NTS",
        guest=f"sed -i 's/ nts$//' {SERVERS}; {_RESTART}",
    ),
    Break(
        "test_the_configured_servers_are_asked_for_nts_and_no_other",
        "another server is asked",
        "<= set.servers",
        guest=f"sed -i '1i server 192.0.2.99 iburst nts' {SERVERS}; {_RESTART}",
    ),
    Break(
        "test_the_configured_servers_are_asked_for_nts_and_no_other",
        "requests without authentication",
        "a request without authentication",
        guest="printf '\\x23%047d' 0 >/dev/udp/192.0.2.80/123; sleep 1",
    ),
    Break(
        "test_time_is_taken_from_a_server_that_proves_who_it_is",
        "one server is not enough",
        "tracking",
        guest=f"echo minsources 9 >>{CONFIG}; sed -i '/^minsources/d' {SERVERS}; "
        + sed("/usr/lib/tau/time-servers", "s/.nminsources 1//"),
    ),
    Break(
        "test_time_is_taken_from_a_server_that_proves_who_it_is",
        "another server is asked, too",
        "packet.destination",
        guest=f"echo 'server 192.0.2.80 iburst' >>{CONFIG}",
    ),
    Break(
        "test_a_server_of_another_authority_is_not_believed",
        "its authority is trusted",
        "port == 123",
        guest=f"install -m 0644 /run/credentials/@system/tau.doh.ca {_CA}; echo 'ntstrustedcerts {_CA}' >>{CONFIG}",
    ),
    Break(
        "test_a_server_of_another_authority_is_not_believed",
        "another program asks without proof",
        "port == 123",
        guest="while printf '\\x23%047d' 0 >/dev/udp/192.0.2.80/123; do sleep 1; done >/dev/null 2>&1 &",
    ),
    Break(
        "test_time_without_proof_is_not_taken",
        "proof is not required",
        "Not synchronised",
        guest=f"sed -i 's/^authselectmode .*/authselectmode ignore/' {CONFIG};"
        f" sed -i '/^minsources/d' {SERVERS}; {_RESTART}",
    ),
    Break(
        "test_a_lost_clock_starts_at_the_date_of_the_image",
        "something sets it back",
        "0 <= float",
        guest=_BACK,
    ),
    Break(
        "test_no_other_program_sets_the_clock",
        "another program runs that would",
        "pgrep",
        guest="cp /usr/bin/sleep /run/ntpd; systemd-run --quiet --property=Type=exec /run/ntpd 100",
    ),
    Break(
        "test_no_other_program_sets_the_clock",
        "systemd-timesyncd is there and runs",
        "systemd-timesyncd",
        guest="cd /etc/systemd/system; rm systemd-timesyncd.service;"
        " printf '[Service]\\nExecStart=/bin/sleep 100\\n' >systemd-timesyncd.service;"
        " systemctl daemon-reload; systemctl start systemd-timesyncd",
    ),
]
WITHOUT: dict[str, str] = {}
