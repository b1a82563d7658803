"""Put one question at the terminal that this is started on, as `tau run` does; the word goes to descriptor 3.

What the agent's socket brings is what can be read from descriptor 4; descriptor 5 is what ends it.
"""

import os
import socket
import sys

from tau.agent import Agent, Question
from tau.prompt import ask

question = Question(7, sys.argv[1], "network", sys.argv[2])
agent = Agent(lambda *_: "")
agent.connection = socket.socket(fileno=4)
os.write(3, ask(question, agent, {5: lambda: os.read(5, 1) == b"x"}).encode() or b"nothing")
