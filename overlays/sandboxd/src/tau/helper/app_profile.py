"""An app's AppArmor profile: what every app has (abstractions/tau-app), and what its permissions add."""

import subprocess
from pathlib import Path

from tau.helper import instance, places
from tau.helper.refusal import RefusedError
from tau.permissions import families_of
from tau.record import Record
from tau.seccomp_groups import ADDITIONS
from tau.wire import Status

#: Seconds that the parser may take: the processor may be an emulated one.
_MAX_SECONDS = 120
_TEXT = """\
# Made by sandboxd's helper from the record beside it; loaded before the app starts (tau-app@.service).
abi <abi/4.0>,
include <tunables/global>

profile "{name}" flags=(attach_disconnected,attach_disconnected.path=/outside) {{
  include <abstractions/tau-app>
{rules}}}
"""


def text(record: Record) -> str:
    """Return the profile, which names nothing but numbers, an id and a hash (apparmor.d(5))."""
    rules = [f"network {family.removeprefix('AF_').lower()}," for family in families_of(record.permissions)]
    if "ptrace" in additions(record):
        rules.append("ptrace peer=@{profile_name},")
    return _TEXT.format(name=instance.profile(record), rules="".join(f"  {rule}\n" for rule in rules))


def additions(record: Record) -> list[str]:
    """Return the system calls that the app has beyond every app's."""
    return [name for index, name in enumerate(ADDITIONS) if record.additions >> index & 1]


def write(record: Record, folder: Path, group: int) -> None:
    """Write the profile into the folder of a bundle, and compile it there.

    :raises RefusedError: when the parser does not take it.
    """
    places.write_file(folder / places.PROFILE, text(record).encode(), group)
    if not _parser(folder, "--skip-kernel-load"):
        raise RefusedError(Status.FAILED, "gets no AppArmor profile; the journal says more")


def load(folder: Path) -> bool:
    """Load the profile of a bundle into the kernel, from its compiled form where that fits the kernel."""
    return _parser(folder, "--replace")


def _parser(folder: Path, *options: str) -> bool:
    """Run apparmor_parser(8); what it says goes to the journal."""
    command = ["/usr/sbin/apparmor_parser", *options, "--write-cache", f"--cache-loc={folder / places.COMPILED}"]
    try:
        done = subprocess.run([*command, "--", folder / places.PROFILE], check=False, timeout=_MAX_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
