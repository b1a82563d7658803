"""Put one question at the terminal that this is started on, as `tau run` does; the word goes to descriptor 3.

What the agent's socket brings is what can be read from descriptor 4; descriptor 5 is what ends it.
"""

import os
import socket
import sys

from tau.agent import Agent, Question
from tau.prompt import ask
from tau.user_folders import FolderError


class Picks(Agent):
    """Remembers which folder the user has picked; one of them can't be."""

    picked = ""

    def pick(self, app: str, path: str) -> None:
        if path == "bad":
            raise FolderError("is not there")
        self.picked = f"{app} may use {path}: "


question = Question(7, sys.argv[1], sys.argv[3], sys.argv[2])
agent = Picks(lambda *_: "")
agent.connection = socket.socket(fileno=4)
word = ask(question, agent, {5: lambda: os.read(5, 1) == b"x"})
os.write(3, f"{agent.picked}{word or 'nothing'}".encode())
