"""A line of the journal about an app, as its user reads it.

It comes as journalctl writes it (``--output=json``), and holds what the app wrote: it is shown, and obeyed in nothing.
"""

import json
import re
import signal
from typing import NamedTuple

from tau.helper import log

_UNIT = re.compile(r"app-tau-[0-9]+-([a-z0-9._]+)-([0-9a-f]{8})\.service")
_BUNDLE = re.compile(r"tau-app(?:@|-)[0-9]+-([a-z0-9._]+)-[0-9a-f]{64}(?:\.service)?")
#: From here on a shell, and an app's init, tell of a signal by the status.
_SIGNALS = 128


class LogLine(NamedTuple):
    """One line.

    :param time: seconds since the epoch.
    :param instance: eight hexadecimal digits, or nothing where the line is about the app.
    :param event: ``begins``, ``says``, ``ends``, ``fails``, ``memory`` or ``refused``.
    :param status: with which it has ended, or None.
    """

    time: float
    app: str
    instance: str
    event: str
    text: str
    status: int | None = None


def read(line: bytes) -> LogLine | None:
    """Return what a line says, or None when it says nothing to a user."""
    try:
        entry = json.loads(line)
        time = int(entry["__REALTIME_TIMESTAMP"]) / 1_000_000
        fields = {name: _text(value) for name, value in entry.items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    profile = fields.get("_AUDIT_FIELD_PROFILE", "").strip('"')
    unit = fields.get("UNIT") or fields.get("_SYSTEMD_UNIT", "")
    instance, bundle = _UNIT.fullmatch(unit), _BUNDLE.fullmatch(profile or unit)
    if instance:
        said = _of_instance(fields)
        return LogLine(time, instance[1], instance[2], *said) if said else None
    if bundle:
        event, text = ("refused", _refused(fields)) if profile else ("fails", fields.get("MESSAGE", ""))
        return LogLine(time, bundle[1], "", event, text)
    return None


def _of_instance(fields: dict[str, str]) -> tuple[str, str, int | None] | None:
    """Event, text and status."""
    kind = fields.get("MESSAGE_ID", "")
    if fields.get("_TRANSPORT") == "stdout":
        return "says", fields.get("MESSAGE", ""), None
    if kind == log.BEGINS:
        return "begins", "begins", None
    if kind == log.EXITED:
        return _ended(fields.get("EXIT_CODE", ""), fields.get("EXIT_STATUS", ""))
    if kind == log.SUCCEEDED:  # the end of its first process is told by itself only when it is none
        return "ends", "ends: status 0", 0
    if kind == log.OUT_OF_MEMORY:
        return "memory", "out of memory: the system has ended a process of it", None
    if kind == log.FAILED:
        return "fails", f"fails: {fields.get('UNIT_RESULT', '')}", None
    if kind == log.NOT_STARTED:
        return "fails", "could not be started", None
    return None


def _ended(how: str, number: str) -> tuple[str, str, int | None]:
    """`number` is an exit status, or a signal's (sigaction(2), si_status)."""
    status = int(number) if number.isdecimal() else None
    if status is None:
        return "ends", "ends", None
    status += _SIGNALS if how != "exited" else 0
    by = ""
    if status > _SIGNALS:
        try:
            by = f" ({signal.Signals(status - _SIGNALS).name})"
        except ValueError:
            by = ""
    return "ends", f"ends: status {status}{by}", status


def _refused(fields: dict[str, str]) -> str:
    """What its AppArmor profile has refused it."""
    field = {name.removeprefix("_AUDIT_FIELD_"): value.strip('"') for name, value in fields.items()}
    what = field.get("NAME") or field.get("FAMILY") or field.get("CAPNAME") or ""
    mask = f" ({field['REQUESTED_MASK']})" if field.get("REQUESTED_MASK") else ""
    return f"refused: {' '.join(filter(None, (field.get('OPERATION'), what)))}{mask}"


def _text(value: object) -> str:
    """A field: text, bytes that are none, nothing where it is too long, or the first of several."""
    if isinstance(value, list):
        if all(isinstance(each, int) for each in value):
            return bytes(each & 0xFF for each in value).decode(errors="replace")
        return _text(value[0])
    return value if isinstance(value, str) else "(too long)"
