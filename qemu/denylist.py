"""What no boot may print on the console or leave in the journal. An exception has a reason and an end date."""

import datetime
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerated:
    """A line that is tolerated until a day, and why."""

    pattern: str
    reason: str
    until: datetime.date


#: What to look for, by what it means. aarch64 has words of its own (arch/arm64/kernel/traps.c) for an oops (die,
#: arm64_serror_panic) and for a program that crashes (arm64_show_signal; qemu/credentials.py, crashes).
DENIED = {
    "kernel panic": r"Kernel panic",
    "kernel oops": r"\bOops: |\bBUG: |general protection fault|kernel BUG at|Internal error: |SError Interrupt on CPU",
    "kernel warning": r"WARNING: CPU: \d+ PID: \d+ at ",
    "emergency or rescue shell": r"You are in (emergency|rescue) mode|Reached target (emergency|rescue)\.target",
    "failed unit": r"\[FAILED\] |Failed to start (?!.*\(test\))",
    "dependency failure": r"\[DEPEND\] ",
    # The kernel keeps a line of its own back where much is audited (printk_ratelimit), the audit record it does not.
    "crashed program": r"segfault at|traps: .* trap |\]: unhandled exception: |\bANOM_ABEND\b",
    "AppArmor denial": r'apparmor="DENIED"',
    "AppArmor parse error": r"AppArmor parser error|apparmor_parser.*(error|Error)",
    "ordering cycle": r"Found ordering cycle|Job .* deleted to break ordering cycle",
    "out of memory": r"Out of memory: Killed process",
    "corrupt root": r"device-mapper: verity: .* (is corrupted|corrupted)",
}
EXCEPTIONS: tuple[Tolerated, ...] = (
    Tolerated(
        r'apparmor="DENIED" operation="change_profile" .* error=-2 profile="unconfined" name="systemd" pid=1 ',
        "PID 1 has loaded the early policy, asks for a profile of its own, and goes on without one (apparmor-setup.c)",
        datetime.date(2028, 6, 30),
    ),
)


def search(text: str, today: datetime.date, exceptions: tuple[Tolerated, ...] = EXCEPTIONS) -> list[str]:
    """Return ``MEANING: LINE`` for every denied line of `text`; an exception that has run out no longer counts."""
    found = []
    for line in text.splitlines():
        for meaning, pattern in DENIED.items():
            if re.search(pattern, line) and not any(
                re.search(each.pattern, line) and today <= each.until for each in exceptions
            ):
                found.append(f"{meaning}: {line.strip()}")
                break
    return found
