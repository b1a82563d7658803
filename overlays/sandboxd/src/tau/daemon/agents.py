"""Those who ask users: programs in their sessions that have a terminal, each at the end of a socket.

A question is ``NUMBER NUL APP NUL PERMISSION NUL DETAIL``, a question that is over ``NUMBER NUL``, and an answer
``NUMBER NUL WORD``, in one datagram each (the overlay's README.md). A word is one of :data:`tau.decisions.DECISIONS`,
``dismissed``, or ``elsewhere`` from one that can't ask now.
"""

import asyncio
import contextlib
import itertools
import socket

from tau.decisions import DECISIONS, Decision

#: Whoever shares the socket can have it block again (fcntl(2), O_NONBLOCK): each call says that it does not wait.
_NOW = socket.MSG_DONTWAIT
#: Longest message, in bytes.
MOST_BYTES = 2048
#: How often, and how many seconds, the agent of an instance is waited for.
_WAITS, _WAIT = 20, 0.1
#: Most agents of one user: more than instances that can run (tau.helper.run).
_MOST = 160


class Agent:
    """One of them: `instance` is the name of the only one that it asks for, or empty."""

    def __init__(self, connection: socket.socket, uid: int, instance: str) -> None:
        self.connection, self.uid, self.instance = connection, uid, instance
        self.waiting: dict[int, asyncio.Future[str]] = {}


class Agents:
    """All agents, in the order in which they came."""

    def __init__(self) -> None:
        self._agents: list[Agent] = []
        self._numbers = itertools.count(1)

    def add(self, connection: socket.socket, uid: int, instance: str) -> bool:
        """Take one in; False when the user has too many."""
        if sum(each.uid == uid for each in self._agents) >= _MOST:
            return False
        agent = Agent(connection, uid, instance)
        self._agents.append(agent)
        asyncio.get_running_loop().add_reader(connection, self._heard, agent)
        return True

    async def ask(self, uid: int, instance: str, app: str, permission: str, detail: str) -> Decision | None:
        """Ask a user: at the terminal that an instance was started at, else where an agent of theirs is.

        :returns: None when nobody could be asked, or nobody answered.
        """
        for _ in range(_WAITS):  # it comes after its instance, and again when sandboxd was ended
            own = [each for each in self._agents if (each.uid, each.instance) == (uid, instance)]
            if own:
                break
            await asyncio.sleep(_WAIT)
        others = [each for each in self._agents if each.uid == uid and not each.instance]
        for agent in (*reversed(own), *reversed(others)):
            word = await self._ask(agent, app, permission, detail)
            if word != "elsewhere":
                return DECISIONS.get(word)
        return None

    async def _ask(self, agent: Agent, app: str, permission: str, detail: str) -> str:
        number = next(self._numbers)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        agent.waiting[number] = answer
        try:
            agent.connection.send("\0".join((str(number), app, permission, detail)).encode()[:MOST_BYTES], _NOW)
            return await answer
        except asyncio.CancelledError:
            self._withdraw(agent, number)
            raise
        except OSError:
            self._drop(agent)
            return "elsewhere"
        finally:
            agent.waiting.pop(number, None)

    @staticmethod
    def _withdraw(agent: Agent, number: int) -> None:
        with contextlib.suppress(OSError):  # it may have gone, and its question with it
            agent.connection.send(f"{number}\0".encode(), _NOW)

    def _heard(self, agent: Agent) -> None:
        try:
            said = agent.connection.recv(MOST_BYTES, _NOW)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._drop(agent)
            return
        number, _, word = said.partition(b"\0")
        answer = agent.waiting.get(int(number)) if number.isdigit() and len(number) < 20 else None
        if answer is not None and not answer.done():
            answer.set_result(word.decode("ascii", "replace"))

    def _drop(self, agent: Agent) -> None:
        """One has gone: what it was asked is not answered, and nobody else is asked for it."""
        if agent not in self._agents:
            return
        self._agents.remove(agent)
        asyncio.get_running_loop().remove_reader(agent.connection)
        agent.connection.close()
        for answer in agent.waiting.values():
            if not answer.done():
                answer.set_result("dismissed")
