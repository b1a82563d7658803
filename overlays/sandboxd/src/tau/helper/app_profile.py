"""An app's AppArmor profile: what every app has (abstractions/tau-app), and what its permissions add."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tau.folders import HOME, INSIDE, PICKED
from tau.helper import instance, places, programs
from tau.helper.refusal import RefusedError
from tau.permissions import PERMISSIONS, attached_of, families_of
from tau.record import Record
from tau.seccomp_groups import ADDITIONS
from tau.status import Status

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
    rules += _attached(attached_of(record.permissions))
    if "ptrace" in additions(record):
        rules.append("ptrace peer=@{profile_name},")
    return _TEXT.format(name=instance.profile(record), rules="".join(f"  {rule}\n" for rule in rules))


def _attached(permissions: Iterable[str]) -> Iterator[str]:
    """The rules for what can be attached: nothing of it is ever executed, and no hidden file is reached.

    Those of folders hold below the place where they are mounted: what has been taken away has no path any more, and
    with it no rule, whoever still has a folder of it open.
    """
    access: dict[str, str] = {}
    for permission in (PERMISSIONS[name] for name in permissions):
        for folder in permission.folders:
            access[folder] = "rwlk" if permission.writes else access.get(folder, "rk")
        if permission.nodes:
            below, pattern = permission.nodes.below, permission.nodes.path
            yield f"/dev/{below}{pattern} rw,"
            yield from [f"/dev/{below} r,"] if below else []
    if access:
        yield f"{INSIDE}/ r,"
    # What its user has picked is theirs to show, hidden files and all; unless the app could move others' there.
    moves = {folder for folder, rights in access.items() if "w" in rights} - {PICKED}
    for folder, rights in access.items():
        yield f"{INSIDE}/{folder}/ r,"
        yield f"{INSIDE}/{folder}/** {rights},"
        if folder != PICKED or moves:
            yield f"deny {INSIDE}/{folder}/{{,**/}}.** rwlkmx,"
        if folder == HOME:
            # What opens the home (overlay fscrypt), and programs that its user's shell finds (~/.profile).
            yield f"deny {INSIDE}/{folder}/fscrypt_recovery_readme.txt rwlkmx,"
            yield f"deny {INSIDE}/{folder}/bin{{,/,/**}} wl,"


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


def renew(record: Record, folder: Path) -> None:
    """Write it anew where another version of the system would: what apps may do has changed since it was installed."""
    path, wanted = folder / places.PROFILE, text(record)
    if path.read_text() != wanted:
        beside = path.with_suffix(".new")
        beside.write_text(wanted)
        beside.rename(path)


def load(folder: Path) -> bool:
    """Load the profile of a bundle into the kernel, from its compiled form where that fits the kernel."""
    return _parser(folder, "--replace")


def _parser(folder: Path, *options: str) -> bool:
    """Run apparmor_parser(8); what it says goes to the journal."""
    command = ["/usr/sbin/apparmor_parser", *options, "--write-cache", f"--cache-loc={folder / places.COMPILED}"]
    return programs.run([*command, "--", str(folder / places.PROFILE)], _MAX_SECONDS) == 0
