"""What can go wrong between an artefact and a machine that answers, each with one clear line."""

from pathlib import Path


class MachineError(Exception):
    """Base of all errors of this package; the message is written for the person who ran the command."""


class ToolMissingError(MachineError):
    """A program or firmware file that the tools tree should hold is not there."""


class GuestDiedError(MachineError):
    """QEMU has ended, or the guest in it has crashed, panicked or powered off without being asked."""


class GuestSilentError(MachineError):
    """The guest did not answer within the time it was given."""


class UncleanBootError(MachineError):
    """The system started, but printed or logged what no boot may (denylist), or a unit of it has failed."""


class CommandTimeoutError(MachineError):
    """A command in the guest ran longer than its time limit and was killed together with its process group."""


def with_console(message: str, tail: list[str], log: Path | None) -> str:
    """The message, followed by the last lines of the console and the path of the full log."""
    lines = [message]
    if tail:
        lines.append("last lines of the console:")
        lines += [f"    {line}" for line in tail]
    if log is not None:
        lines.append(f"full console log: {log}")
    return "\n".join(lines)
