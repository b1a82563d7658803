"""The manual pages tau(1) and manifest.tau(5), made from the parsers and the tables: man-pages(7), man(7).

``python3 -m tau.man_pages NAME`` prints one: docs/man/ has them, and the image (finalize.chroot).
"""

import argparse
import re
import sys
from collections.abc import Callable

from tau.manifest_schema import schema
from tau.parsers import Command, commands, described
from tau.permissions import PERMISSIONS, UNAVAILABLE
from tau.seccomp_groups import ADDITIONS

_TAU = """
`tau` installs apps, runs them, and says what they may do. An app is a signed disk image (a bundle), and is installed
for the user who asks, without a password. It runs as its user in namespaces of its own, and sees neither their files
nor other programs, the network or devices, but for what its manifest declares and its user has granted.

What an app wants is asked at the terminal where it was started, else where its user runs `tau agent`. Where nobody
can be asked, or answers within two minutes, the answer is no, for now.
"""
_EXAMPLE = """
{
  "id": "org.example.player",
  "name": "Player",
  "version": "1.2",
  "permissions": ["filesystem:ro", "network"]
}
"""
_MANIFEST = """
An app's folder, and the bundle that `tau pack` makes of it, holds this file at its top. It is JSON (RFC 8259): one
object, in UTF-8. A key that is there twice, a fraction, a comment, and whatever else readers of JSON disagree about
is refused, and so is a key that is not named here. `tau manifest check` says what is wrong in one, with line and
column.
"""
_STATUS = {
    "0": "It is done.",
    "1": "It is not: the reason is on standard error.",
    "2": "It was called wrongly.",
    "125": "Of `tau run`: the app could not be started.",
    "others": "Of `tau run`: the app's own; 128 and the signal's number when a signal ended it. With --background "
    "it is the app's only when that has ended before it was seen to run.",
}
_FILES = {
    "~/.local/share/tau/ID": "What an app keeps: its home. It stays when the app is removed.",
    "/run/tau/files": "In an app: the folders of its user's that it may use.",
    "/run/tau/portal": "In an app: the socket at which `tau request` asks.",
}
_ENVIRONMENT = {
    "TERM, LANG": "Handed on to an app that is started. Nothing else of the environment is.",
    "TAU_APP": "In an app: its id.",
    "TAU_PORTAL": "In an app that declares files or devices: the descriptor of a connection to the portal.",
}


def tau() -> str:
    """Return tau(1)."""
    every = list(commands())
    return "".join(
        (
            _head("tau", 1, "apps on Tau OS"),
            ".SH SYNOPSIS\n",
            "".join(f".br\n{_synopsis(each)}\n" for each in every if each.words and not each.inner),
            f".SH DESCRIPTION\n{_paragraphs(_TAU)}",
            ".SH COMMANDS\n",
            "".join(_command(each) for each in every if each.words),
            ".SH OPTIONS OF EVERY COMMAND\n",
            _item(r"\fB\-\-help\fP", "Say how it is called, and end."),
            _list("EXIT STATUS", _STATUS),
            _list("ENVIRONMENT", _ENVIRONMENT),
            _list("FILES", _FILES),
            ".SH SEE ALSO\n.BR manifest.tau (5),\n.BR journalctl (1)\n",
        )
    )


def manifest() -> str:
    """Return manifest.tau(5)."""
    found = schema()
    keys = {name: each["description"] for name, each in found["properties"].items()}
    keys = {name: text + (" Required." if name in found["required"] else "") for name, text in keys.items()}
    every = {each.name: f"To {each.plain}: {each.becomes}." for each in PERMISSIONS.values()}
    return "".join(
        (
            _head("manifest.tau", 5, "what an app of Tau OS is, and what it may ask for"),
            f".SH DESCRIPTION\n{_paragraphs(_MANIFEST)}",
            _list("KEYS", keys),
            _list("PERMISSIONS", every),
            f".PP\nNot available on this system yet: {_plain(', '.join(sorted(UNAVAILABLE)))}.\n",
            _list("SYSTEM CALLS", {name: f"To {what}." for name, what in ADDITIONS.items()}),
            f".SH EXAMPLE\n.EX\n{_plain(_EXAMPLE.strip())}\n.EE\n",
            ".SH SEE ALSO\n.BR tau (1)\n",
        )
    )


#: The pages, by the names of their files.
PAGES: dict[str, Callable[[], str]] = {"tau.1": tau, "manifest.tau.5": manifest}


def _head(name: str, section: int, what: str) -> str:
    # No date: the same text is the same file (SOURCE_DATE_EPOCH's reason).
    title = f'.TH {name.upper()} {section} "" "Tau OS" "Tau OS"\n'
    return f'.\\" Made by `python3 -m tau.man_pages`.\n{title}.SH NAME\n{_plain(name)} \\- {_plain(what)}\n'


def _synopsis(command: Command) -> str:
    parts = [rf"\fB{_plain(' '.join(('tau', *command.words)))}\fP", *map(_usage, command.arguments)]
    return " ".join(parts)


def _usage(action: argparse.Action) -> str:
    """An argument, as a synopsis has it."""
    text = _named(action)
    if action.nargs in (argparse.ONE_OR_MORE, argparse.REMAINDER):
        text += r"\|.\|.\|."
    optional = not action.required or action.nargs == argparse.REMAINDER
    return f"[{text}]" if optional else text


def _named(action: argparse.Action) -> str:
    """An argument and its value, as they are typed."""
    value = "{" + "|".join(action.choices) + "}" if action.choices else str(action.metavar)
    if not action.option_strings:
        return rf"\fI{_plain(value)}\fP"
    words = ", ".join(rf"\fB{_plain(each)}\fP" for each in action.option_strings)
    return words if action.nargs == 0 else rf"{words} \fI{_plain(value)}\fP"


def _command(command: Command) -> str:
    text = f"{command.summary[:1].upper()}{command.summary[1:]}."
    if command.inner:
        return f".SS {_plain(' '.join(('tau', *command.words)))}\n{_marked(text)}\n"
    body = f".SS {_synopsis(command)}\n{_marked(text)}\n"
    body += "".join(_item(_named(each), described(each)) for each in command.arguments)
    return body + (f".PP\n.EX\n{_plain(command.notes)}\n.EE\n" if command.notes else "")


def _list(title: str, items: dict[str, str]) -> str:
    return f".SH {title}\n" + "".join(_item(rf"\fB{_plain(name)}\fP", text) for name, text in items.items())


def _item(name: str, text: str) -> str:
    return f".TP\n{name}\n{_marked(text)}\n"


def _paragraphs(text: str) -> str:
    return "".join(f".PP\n{_marked(' '.join(each.split()))}\n" for each in text.strip().split("\n\n"))


def _marked(text: str) -> str:
    """Text whose `code` is bold."""
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fP", _plain(text))


def _plain(text: str) -> str:
    """Text of which nothing is taken for a request or an escape (groff(7)); hyphens are what is typed."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("…", "\\|.\\|.\\|.")
    return "\n".join(_begins(line) for line in escaped.split("\n"))


def _begins(line: str) -> str:
    return f"\\&{line}" if line[:1] in (".", "'") else line


if __name__ == "__main__":
    sys.stdout.writelines(PAGES[name]() for name in sys.argv[1:])
