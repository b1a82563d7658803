"""The command's parsers, taken apart: what its completion and its manual page are made from."""

import argparse
import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from tau import cli


@dataclass(frozen=True)
class Command:
    """A command, and each part of one that is chosen by a word of its own.

    :param words: what is typed after ``tau``: ``("permissions", "grant")``; nothing for ``tau`` itself.
    :param summary: what it is for, in a line.
    :param arguments: its options and other arguments, in their order; without ``--help``.
    :param inner: the words that may follow.
    :param notes: what stands below its help.
    """

    words: tuple[str, ...]
    summary: str
    arguments: tuple[argparse.Action, ...]
    inner: tuple[str, ...] = ()
    notes: str = ""


def commands() -> Iterator[Command]:
    """Return all of them, ``tau`` itself first, each before what is inside of it."""
    yield Command((), "apps on Tau OS", (), tuple(cli.COMMANDS))
    for name, (module, summary) in cli.COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"tau {name}", add_help=False)
        importlib.import_module(module).arguments(parser)
        yield from _of(parser, (name,), summary)


def described(action: argparse.Action) -> str:
    """Return what an argument's help says, with its default."""
    return (action.help or "") % {**vars(action), "prog": "tau"}


def _of(parser: argparse.ArgumentParser, words: tuple[str, ...], summary: str) -> Iterator[Command]:
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    # Those of `tau permissions list` have a --help by themselves.
    own = [action for action in parser._actions if action not in inner and action.dest != "help"]
    choices = dict(inner[0].choices) if inner else {}
    yield Command(words, summary, tuple(own), tuple(choices), parser.epilog or "")
    summaries = {each.dest: each.help or "" for each in inner[0]._choices_actions} if inner else {}
    for name, part in choices.items():
        yield from _of(part, (*words, name), summaries[name])
