"""Have the journal read for a user who asks what their apps have done: their own lines, and nobody else's.

Which lines these are is said in fields that journald has from the kernel, or PID 1 from the helper, never in what
somebody writes: `_PID`, `_SYSTEMD_SLICE`, `_TRANSPORT` and the like (systemd.journal-fields(7)). The helper makes them
from numbers, an id and hashes. It reads no line itself, and sandboxd sees none: a unit does that may do nothing but
read the journal (tau-log-.service.d), into the pipe that the user's ticket has brought.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from tau import log_wish, record
from tau.helper import instance, places
from tau.helper.refusal import RefusedError
from tau.log_wish import LogWish
from tau.names import is_id
from tau.record import Record
from tau.status import Status
from tau.ticket import Asked, Wish

#: Most that are read for one user at a time.
_MOST = 8
#: What PID 1 says of an app's unit, by the numbers that its messages have (systemd/sd-messages.h): it begins, its first
#: process has ended, it has ended, it has failed, it could not be started, memory ran out.
BEGINS = "39f53479d3a045ac8e11786248231fbf"
EXITED = "98e322203f7a4ed290d09fe03c09fe15"
SUCCEEDED = "7ad2d189f7e94e70a38c781354912448"
FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
NOT_STARTED = "be02cf6855d2428ba40df7e9d022f03d"
OUT_OF_MEMORY = "fe6faa94e7774663a0da52717891d8ef"
#: How it has failed, where the end of its first process, or the line about memory, has not said so (SERVICE_RESULT,
#: systemd.exec(5)).
_RESULTS = ("protocol", "resources", "timeout", "watchdog", "start-limit-hit", "exec-condition")
#: The fields that a user is told (:mod:`tau.log_line`); journalctl(1) adds the time.
FIELDS = (
    *("MESSAGE", "MESSAGE_ID", "UNIT", "UNIT_RESULT", "EXIT_CODE", "EXIT_STATUS", "_SYSTEMD_UNIT", "_TRANSPORT"),
    *(f"_AUDIT_FIELD_{name}" for name in ("PROFILE", "OPERATION", "NAME", "REQUESTED_MASK", "FAMILY", "CAPNAME")),
)
#: How it went is told on the socket that the ticket came with, as the end of an app is (tau.helper.run).
_TELL_STATUS = '"$@" 3>&-; status=$?; exec </dev/null >/dev/null 2>&1; printf %s "$status" >&3'


class Reading(NamedTuple):
    """A reading that is ready to begin: the command that waits for its end."""

    command: list[str]

    def become(self, asked: Asked, ticket: int) -> None:
        """Turn this process into the one that waits; it does not return.

        :raises OSError: as execve(2).
        """
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        # What journalctl has to complain of goes where the helper's own complaints go.
        above = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 16) for file in (nothing, *asked.files, 2, ticket)]
        for target, source in enumerate(above):
            os.dup2(source, target)
        os.execve("/bin/sh", ["sh", "-c", _TELL_STATUS, "sh", *self.command], {"PATH": "/usr/bin"})  # noqa: S606 - a constant, and its words

    def forget(self) -> None:
        """There is nothing to take back."""


def read(asked: Asked) -> Reading:
    """Find out what is to be read for a ticket.

    :raises RefusedError: when it does not ask for that, or too much is being read.
    """
    if asked.wish != Wish.LOG or (asked.app and not is_id(asked.app)):
        raise RefusedError(Status.NO_TICKET, "does not ask for the journal")
    try:
        wish = log_wish.unpack(asked.details)
    except log_wish.LogWishError as error:
        raise RefusedError(Status.NO_TICKET, str(error)) from None
    if not all(stat.S_ISFIFO(os.fstat(file).st_mode) for file in asked.files):
        raise RefusedError(Status.NO_TICKET, "gets its lines in a pipe alone")
    group = instance.CGROUP / instance.slice_of(asked.uid)
    if len(list(group.glob(f"{_prefix(asked.uid)}*"))) >= _MOST:
        raise RefusedError(Status.NO_SPACE, f"is read {_MOST} times by you already")
    return Reading(command(asked.uid, asked.app, wish, int.from_bytes(os.urandom(4))))


def command(uid: int, app: str, wish: LogWish, number: int) -> list[str]:
    """Return the command that starts the unit which reads, and waits for its end.

    :param app: one alone, or nothing for all of the user's.
    """
    words = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--service-type=exec"]
    words += [f"--unit={_prefix(uid)}{number:08x}.service", f"--slice={instance.slice_of(uid)}"]
    manager = instance.manager(uid)
    said = (("Description", f"Read the journal for user {uid}"), ("BindsTo", manager), ("After", manager))
    words += [f"--property={name}={value}" for name, value in said]
    words += ["--", "/usr/bin/journalctl", "--quiet", "--output=json", f"--output-fields={','.join(FIELDS)}"]
    words += [f"--lines={wish.lines or 'all'}", *(["--follow"] if wish.follow else [])]
    for index, group in enumerate(_matches(uid, app)):
        words += ["+"] if index else []
        words += [f"{name}={value}" for name, value in group]
    return words


def _prefix(uid: int) -> str:
    """What the names of the units begin with that read for a user."""
    return f"tau-log-{uid}-"


def _matches(uid: int, app: str) -> Iterator[list[tuple[str, str]]]:
    """What the lines have that are shown: all of one list, or all of another (journalctl(1))."""
    (of_user, of_app) = instance.log_fields(uid, app)
    # PID 1's own: anybody can send lines with the other fields, and nobody with this one.
    about = [("_PID", "1"), of_user, *([of_app] if app else [])]
    ids = (BEGINS, EXITED, SUCCEEDED, NOT_STARTED, OUT_OF_MEMORY)
    yield [*about, *(("MESSAGE_ID", each) for each in ids)]
    yield [*about, ("MESSAGE_ID", FAILED), *(("UNIT_RESULT", each) for each in _RESULTS)]
    # What apps in the background say.
    said = [("_SYSTEMD_SLICE", instance.slice_of(uid)), ("_TRANSPORT", "stdout")]
    yield [*said, *([("SYSLOG_IDENTIFIER", app)] if app else [])]
    for bundle in _bundles(uid, app):
        # The kernel's word, as it writes it, quotes and all.
        denied = [("_TRANSPORT", "audit"), ("_AUDIT_FIELD_APPARMOR", '"DENIED"')]
        yield [*denied, ("_AUDIT_FIELD_PROFILE", f'"{instance.profile(bundle)}"')]
        # Why its bundle or its data can't be mounted.
        yield [("_SYSTEMD_UNIT", instance.bundle_unit(bundle)), ("_TRANSPORT", "stdout")]


def _bundles(uid: int, app: str) -> Iterator[Record]:
    """What a user has installed, of one app or of all: each bundle that is still there has a profile and a unit."""
    for path in sorted((places.APPS / str(uid)).glob(f"{app or '*'}/*/{places.RECORD}")):
        with contextlib.suppress(record.RecordError):
            if not path.parent.is_symlink():
                yield record.read(path)
