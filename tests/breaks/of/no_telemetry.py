"""Breaks of no-telemetry: something that calls home."""

from tests.breaks.model import Boot, Break, sed

_CALLS = b"""\
[Unit]
After=network.target
ConditionPathExists=!/etc/initrd-release

[Service]
ExecStart=/bin/bash -c "while sleep 20; do %s; done"
"""


def _calls(command: bytes) -> Boot:
    return Boot(
        credentials={
            "systemd.extra-unit.call-home.service": _CALLS % command,
            "systemd.unit-dropin.multi-user.target~60-call-home": b"[Unit]\nWants=call-home.service\n",
        }
    )


BREAKS = [
    Break(
        "test_the_capture_would_have_seen_a_call_home",
        "calls are dropped before they leave",
        r"!= \[\]",
        guest="nft 'table inet x { chain x { type filter hook output priority 0; tcp dport 80 drop; }; }'",
    ),
    Break(
        "test_from_power_on_through_ten_idle_minutes",
        "a connection now and then",
        "unexpected",
        boot=_calls(b"timeout 5 bash -c 'echo x >/dev/tcp/198.51.100.7/80'"),
    ),
    Break(
        "test_from_power_on_through_ten_idle_minutes",
        "a name now and then",
        "stats.example.net|asked",
        boot=_calls(b"getent hosts stats.example.net"),
    ),
    Break(
        "test_the_system_names_no_web_page",
        "an address of somebody's pages",
        "_URL",
        guest=sed("/usr/lib/os-release", "$aBUG_REPORT_URL=https:..bugs.example.net/"),
    ),
    Break(
        "test_the_system_names_no_web_page",
        "news at the login",
        "grep -rqs",
        guest="mkdir -p /run/motd.d; echo 'News: https://news.example.net/' >/run/motd.d/50-news",
    ),
    Break(
        "test_nothing_is_there_that_would_call",
        "one timer more",
        "units <=",
        guest="systemd-run --quiet --on-calendar=daily --unit=call-home true",
    ),
    Break(
        "test_nothing_is_there_that_would_call",
        "a package that calls home",
        "popularity-contest",
        guest="printf '\\nPackage: popularity-contest\\nStatus: install ok installed\\nMaintainer: x\\nVersion: 1\\n"
        "Architecture: all\\nDescription: x\\n' >>/var/lib/dpkg/status",
    ),
]
WITHOUT: dict[str, str] = {}
