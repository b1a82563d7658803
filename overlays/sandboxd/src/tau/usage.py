"""How the command is used: its words and options, by argparse. Who gets one wrong is told which was likely meant."""

import argparse
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tau.findings import nearest, quoted

Actions = argparse._SubParsersAction


def add_action(actions: "Actions[argparse.ArgumentParser]", name: str, summary: str) -> argparse.ArgumentParser:
    """Add a word that is chosen after a command, whose --help says what it is for, too."""
    description = f"{summary[:1].upper()}{summary[1:]}."
    return actions.add_parser(name, help=summary, description=description, allow_abbrev=False)


def parsed(arguments: Sequence[str], known: Mapping[str, tuple[str, str]]) -> argparse.Namespace:
    """Read what was typed after ``tau``.

    :param known: its commands: a module that has `arguments`, and a summary. What is typed decides which is imported.
    :raises SystemExit: for wrong use (2), which has been told on standard error, and for ``--help`` (0).
    """
    parser = argparse.ArgumentParser(
        prog="tau", description="Apps on Tau OS.", epilog="More of each: tau COMMAND --help", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next(_words(arguments), "")
    for name, (module, summary) in known.items():
        command = add_action(commands, name, summary)
        if name == wanted:
            importlib.import_module(module).arguments(command)
    part = _part(parser, arguments)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        options_of = [name for action in part._actions for name in action.option_strings]
        part.error(f"{quoted(unknown[0])} is not known{_meant(unknown[0], options_of)}")
    return options


def _part(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The part that the words lead to, which knows the options; a word that is missing or leads nowhere is an error."""
    words = _words(arguments)
    while (inner := _inner(parser)) is not None:
        word = next(words, None)
        if word is None:
            if not {"-h", "--help"} & set(arguments):
                parser.print_help(sys.stderr)
                raise SystemExit(2)
            break
        if word not in inner.choices:
            parser.error(f"there is no {quoted(word)}{_meant(word, inner.choices)} ({parser.prog} --help lists all)")
        parser = inner.choices[word]
    return parser


def _inner(parser: argparse.ArgumentParser) -> "Actions[argparse.ArgumentParser] | None":
    return next((action for action in parser._actions if isinstance(action, Actions)), None)


def _words(arguments: Sequence[str]) -> Iterator[str]:
    return (word for word in arguments if not word.startswith("-"))


def _meant(word: str, known: Iterable[str]) -> str:
    close = nearest(word, known)
    return f'; did you mean "{close}"?' if close else ""
