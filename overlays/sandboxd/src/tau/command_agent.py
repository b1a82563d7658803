"""``tau agent``: be asked at this terminal for apps that have none of their own."""

import argparse
import select
import sys

from tau.agent import Agent
from tau.bus import BusError
from tau.prompt import ask


def arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(options: argparse.Namespace) -> int:
    """Answer until it is ended; returns 1 when sandboxd can't be reached."""
    if not sys.stdin.isatty():
        print("there is no terminal to ask at", file=sys.stderr)
        return 1
    agent = Agent(ask)
    try:
        agent.connect()
    except BusError as error:
        print(error.message, file=sys.stderr)
        return 1
    print("What your apps want to do is asked here. Ctrl-C ends it.", flush=True)
    while agent.connection:
        select.select([agent.connection], [], [])
        agent.serve()
    print("sandboxd can't be reached any more", file=sys.stderr)
    return 1
