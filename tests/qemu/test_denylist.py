"""What no boot may print."""

import datetime

import pytest

from qemu.denylist import DENIED, Tolerated, search

TODAY = datetime.date(2026, 11, 24)
LINES = {
    "kernel panic": "[    2.1] Kernel panic - not syncing: Attempted to kill init!",
    "kernel oops": "[    2.1] Oops: general protection fault, probably for non-canonical address",
    "kernel warning": "[    2.1] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2",
    "emergency or rescue shell": "You are in emergency mode. After logging in, type",
    "failed unit": "[FAILED] Failed to start x.service - X.",
    "dependency failure": "[DEPEND] Dependency failed for home.mount - /home.",
    "crashed program": "[    9.1] foo[123]: segfault at 0 ip 0000 sp 0000 error 4 in foo",
    "AppArmor denial": 'audit: type=1400 audit(1:2): apparmor="DENIED" operation="open" profile="x"',
    "AppArmor parse error": "AppArmor parser error for /etc/apparmor.d/x in profile x at line 3",
    "ordering cycle": "[    3.1] systemd[1]: sysinit.target: Found ordering cycle on x.service/start",
    "out of memory": "[   50.1] Out of memory: Killed process 77 (x)",
    "corrupt root": "[   50.1] device-mapper: verity: 254:0: data block 7 is corrupted",
}


#: What a kernel for aarch64 says instead.
AARCH64 = {
    "[    2.1] Internal error: Oops: 0000000096000004 [#1] SMP": "kernel oops",
    "[    2.1] Internal error: synchronous external abort: 0000000096000010 [#1] SMP": "kernel oops",
    "[    2.1] SError Interrupt on CPU1, code 0x00000000bf000002 -- SError": "kernel oops",
    "[    9.1] foo[123]: unhandled exception: DABT (lower EL), ESR 0x0000000092000046, level 2": "crashed program",
    'tau audit[5833]: ANOM_ABEND uid=0 pid=5833 comm="perl" exe="/usr/bin/perl" sig=11 res=1': "crashed program",
}


@pytest.mark.parametrize("line", AARCH64)
def test_each_is_found_in_the_words_of_aarch64(line: str) -> None:
    assert search(line, TODAY) == [f"{AARCH64[line]}: {line}"]


@pytest.mark.parametrize("meaning", DENIED)
def test_each_is_found_and_named(meaning: str) -> None:
    assert search(f"before\n{LINES[meaning]}\nafter", TODAY) == [f"{meaning}: {LINES[meaning]}"]


@pytest.mark.parametrize(
    "line",
    [
        "[  OK  ] Started x.service - X.",
        "[    0.0] Command line: panic=10 systemd.verity_root_options=panic-on-corruption",
        "[    1.0] AppArmor: AppArmor initialized",
        'audit: type=1400 audit(1:2): apparmor="STATUS" operation="profile_load"',
        "[    1.0] device-mapper: verity: sha256 using implementation sha256-generic",
    ],
)
def test_a_healthy_line_is_not(line: str) -> None:
    assert search(line, TODAY) == []


def test_an_exception_ends_on_its_day() -> None:
    tolerated = (Tolerated(r"x\.service", "being mended", TODAY),)
    assert search(LINES["failed unit"], TODAY, tolerated) == []
    assert search(LINES["dependency failure"], TODAY, tolerated) != []
    assert search(LINES["failed unit"], TODAY + datetime.timedelta(days=1), tolerated) != []
