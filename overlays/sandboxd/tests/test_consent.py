"""Who is asked, how often, and what is a yes: one word of the user's, and nothing else."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tau import running
from tau.daemon import agents as agents_module
from tau.daemon import consent as module
from tau.daemon import instances
from tau.daemon.agents import Agents
from tau.daemon.consent import Consent
from tau.daemon.hold import Hold
from tau.daemon.store import Store, StoreError, Token
from tau.daemon.store_thread import StoreThread
from tau.decisions import DECISIONS, Decision, Scope
from tau.permissions import mask_of
from tau.running import Running
from tau.wire import Decision as Live

ONE = Running(1000, "org.example.app", b"s" * 32, mask_of(["network", "lan"]), 7, 0x102)
TOKEN = Token(ONE.name, "session-1")


def another(number: int) -> Running:
    """Another instance of the app."""
    return ONE._replace(number=number, link=number + 1)


class World:
    """sandboxd without bus, helper and kernel; agents are sockets, as theirs."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path / "store.sqlite")
        self.agents = Agents()
        self.applied: list[tuple[int, str, Live]] = []
        self.works = True
        kept = StoreThread(self.store)
        self.hold = Hold(kept, self._apply)
        self.consent = Consent(kept, self.agents, self.hold)

    async def _apply(self, instance: Running, permission: str, decision: Live) -> bool:
        await asyncio.sleep(0.01)
        self.applied.append((instance.link, permission, decision))
        return self.works

    async def decide(self, permission: str, decision: Decision) -> None:
        """As `tau permissions` does."""
        await asyncio.to_thread(Store(self.store._path).decide, ONE, permission, decision, TOKEN, "set")

    def decided(self) -> dict[str, Decision]:
        return Store(self.store._path).decided(ONE, TOKEN)

    def agent(self, instance: str = ONE.name, uid: int = 1000) -> socket.socket:
        given, kept = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        assert self.agents.add(given, uid, instance)
        kept.setblocking(False)
        return kept

    def permit(self, instance: Running = ONE, permission: str = "network") -> asyncio.Task[bool]:
        return asyncio.ensure_future(self.consent.permit(instance, permission, "the address of example.org"))


async def heard(agent: socket.socket) -> list[str]:
    data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(agent, 4096), 5)
    return data.decode().split("\0")


async def answer(agent: socket.socket, word: str) -> list[str]:
    question = await heard(agent)
    agent.send(f"{question[0]}\0{word}".encode())
    return question


Story = Callable[[World], Awaitable[None]]


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    """Run a story in a world of its own, in which nobody waits long."""
    monkeypatch.setattr(instances, "session", lambda uid: "session-1")
    monkeypatch.setattr(instances, "runs", lambda instance: True)
    monkeypatch.setattr(agents_module, "_WAIT", 0.001)
    return lambda story: asyncio.run(asyncio.wait_for(_told(story, tmp_path), 30))


async def _told(story: Story, path: Path) -> None:
    await story(World(path))


@pytest.mark.parametrize("word", [*DECISIONS, "dismissed", "yes", "allow", "ALLOW-ONCE", ""])
def test_one_word_is_a_yes(tell: Callable[[Story], None], word: str) -> None:
    async def story(world: World) -> None:
        waiting, agent = world.permit(), world.agent()
        question = await answer(agent, word)
        assert question[1:] == [ONE.app, "network", "the address of example.org"]
        decision = DECISIONS.get(word)
        assert await waiting == bool(decision and decision.allowed)
        kept = world.decided()
        assert kept == ({"network": decision} if decision else {})
        assert world.applied == [(0x102, "network", Live.ALLOW if decision and decision.allowed else Live.REFUSE)]

    tell(story)


def test_what_is_decided_or_not_declared_is_not_asked(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        agent = world.agent()
        await world.decide("network", Decision(True, Scope.ALWAYS))
        await world.decide("lan", Decision(False, Scope.ALWAYS))
        assert await world.permit() and not await world.permit(permission="lan")
        assert not await world.permit(permission="camera")
        with pytest.raises(BlockingIOError):
            agent.recv(1)

    tell(story)


def test_many_ask_once(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        agent = world.agent()
        waiting = [world.permit() for _ in range(50)]
        await answer(agent, "allow-once")
        assert all(await asyncio.gather(*waiting))
        with pytest.raises(BlockingIOError):
            agent.recv(1)

    tell(story)


def test_nobody_there_is_a_no_and_is_not_kept(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        other = world.agent(uid=1001, instance="")
        assert not await world.permit()
        assert Store(world.store._path).history(1000, 9) == [] and world.applied == [(0x102, "network", Live.REFUSE)]
        # For a while nobody is asked, though somebody has come.
        agent = world.agent()
        assert not await world.permit()
        for each in (agent, other):
            with pytest.raises(BlockingIOError):
                each.recv(1)

    tell(story)


def test_an_agent_that_goes_has_not_answered(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        elsewhere, agent = world.agent(instance=""), world.agent()
        waiting = world.permit()
        await heard(agent)
        agent.close()
        assert not await waiting
        with pytest.raises(BlockingIOError):
            elsewhere.recv(1)

    tell(story)


def test_the_terminal_that_it_was_started_at_comes_first(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        elsewhere, another, own = world.agent(instance=""), world.agent(instance="other"), world.agent()
        waiting = world.permit()
        await answer(own, "elsewhere")
        await answer(elsewhere, "allow-once")
        assert await waiting
        with pytest.raises(BlockingIOError):
            another.recv(1)

    tell(story)


def test_a_question_that_stands_too_long(tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)

    async def story(world: World) -> None:
        agent = world.agent()
        waiting = world.permit()
        number = (await heard(agent))[0]
        assert not await waiting
        assert await heard(agent) == [number, ""]
        # Too late, and whatever else is said there.
        for said in (f"{number}\0allow-always", "9" * 30 + "\0allow-always", "x", "\0"):
            agent.send(said.encode())
        await asyncio.sleep(0.05)
        assert world.decided() == {}

    tell(story)


def test_it_is_asked_again_after_a_while_that_doubles(
    tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_QUIET", 1)

    async def story(world: World) -> None:
        agent, clock = world.agent(), asyncio.get_running_loop().time
        for seconds in (1, 2):
            waiting = world.permit()
            await answer(agent, "dismissed")
            assert not await waiting
            began = clock()
            assert not await world.permit()
            # At least as long as that: a busy host may take longer.
            while world.applied[-1] != (0x102, "network", Live.ASK):
                await asyncio.sleep(0.02)
            assert clock() - began > 0.7 * seconds
        assert [each[2] for each in world.applied] == [Live.REFUSE, Live.ASK, Live.REFUSE, Live.ASK]

    tell(story)


def test_one_question_at_a_time(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        agents = [world.agent(instance=another(number).name) for number in range(3)]
        waiting = [world.permit(another(number)) for number in range(3)]
        for agent in agents:
            number = (await heard(agent))[0]
            for other in agents:
                with pytest.raises(BlockingIOError):
                    other.recv(1)
            agent.send(f"{number}\0allow-once".encode())
        assert all(await asyncio.gather(*waiting))

    tell(story)


def test_an_answer_decides_what_waits_for_its_turn(tell: Callable[[Story], None]) -> None:
    """Two instances that are started together: who has said "always" is not asked again."""

    async def story(world: World) -> None:
        agent = world.agent(instance="")
        waiting = [world.permit(another(number)) for number in range(3)]
        await answer(agent, "allow-always")
        assert all(await asyncio.gather(*waiting))
        with pytest.raises(BlockingIOError):
            agent.recv(1)

    tell(story)


def test_a_flood_is_refused(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        agent = world.agent(instance="")
        waiting = [world.permit(another(number)) for number in range(40)]
        answered = 0
        while not all(each.done() for each in waiting):
            try:
                await asyncio.wait_for(answer(agent, "dismissed"), 0.5)
                answered += 1
            except TimeoutError:
                break
        assert not any(await asyncio.gather(*waiting)) and answered <= module._MOST_WAITING

    tell(story)


def test_decided_elsewhere_meanwhile(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        agent = world.agent()
        waiting = world.permit()
        number = (await heard(agent))[0]
        await world.consent.settle(ONE, "lan")
        await world.decide("network", Decision(True, Scope.ALWAYS))
        await world.consent.settle(ONE, "network")
        assert await waiting
        assert await heard(agent) == [number, ""]

    tell(story)


def test_what_can_not_be_kept_is_not_granted(tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        agent = world.agent()
        waiting = world.permit()
        monkeypatch.setattr(instances, "session", lambda uid: "")
        await answer(agent, "allow-session")
        assert not await waiting
        assert world.applied == [(0x102, "network", Live.REFUSE)]

    tell(story)


def test_what_the_kernel_does_not_hold_to_is_not_granted(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        agent, world.works = world.agent(), False
        waiting = world.permit()
        await answer(agent, "allow-once")
        assert not await waiting

    tell(story)


def test_a_question_that_its_app_does_not_outlive(
    tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has ended, and been removed: nothing is kept for whatever has its id next."""

    async def story(world: World) -> None:
        agent = world.agent(instance="")
        waiting = world.permit()
        number = (await heard(agent))[0]
        monkeypatch.setattr(instances, "runs", lambda instance: False)
        agent.send(f"{number}\0allow-always".encode())
        assert not await waiting
        assert world.decided() == {} and world.applied == []

    tell(story)


def test_too_many_agents(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        kept: list[Any] = [world.agent() for _ in range(agents_module._MOST)]
        given, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        assert not world.agents.add(given, 1000, "")
        assert world.agents.add(given, 1001, "")
        kept.clear()

    tell(story)


def test_the_last_decision_is_the_last_one_that_is_applied(tell: Callable[[Story], None]) -> None:
    """Whoever is quicker: a yes at the prompt, and a no by command at the same time."""

    async def story(world: World) -> None:
        for first in (True, False):
            waiting = []
            for allowed in (first, not first) * 5:
                await world.decide("network", Decision(allowed, Scope.ALWAYS))
                waiting.append(asyncio.ensure_future(world.consent.settle(ONE, "network")))
            await asyncio.gather(*waiting)
            assert world.applied[-1][2] == (Live.REFUSE if first else Live.ALLOW)

    tell(story)


def test_what_was_left_undone_is_done_at_the_start(tell: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.decide("network", Decision(False, Scope.ALWAYS))
        await world.hold.hold_all([ONE])
        assert world.applied == [(0x102, "network", Live.REFUSE), (0x102, "lan", Live.ASK)]

    tell(story)


def test_what_holds_already_is_left_alone(tell: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is attached, which root has written down."""
    one = ONE

    async def story(world: World) -> None:
        nonlocal one
        camera, microphone = mask_of(["camera"]), mask_of(["microphone"])
        one = ONE._replace(permissions=camera | microphone, wanted=camera, attached=camera)
        monkeypatch.setattr(running, "read", lambda number: one)
        await world.decide("camera", Decision(True, Scope.ALWAYS))
        await world.hold.hold_all([one])
        assert world.applied == []
        one = one._replace(attached=microphone)
        await world.hold.hold_all([one])
        assert world.applied == [(0x102, "camera", Live.ALLOW), (0x102, "microphone", Live.ASK)]

    tell(story)


def test_a_store_that_fails_is_no_decision(tell: Callable[[Story], None]) -> None:
    """Nothing is granted, and nothing is refused for longer than it fails."""

    async def story(world: World) -> None:
        await world.decide("network", Decision(True, Scope.ALWAYS))
        path = world.store._path
        good = path.read_bytes()
        path.write_bytes(b"x" * len(good))
        with pytest.raises(StoreError):
            await world.permit()
        assert await world.hold.hold(ONE, "network") is None
        assert world.applied == [(0x102, "network", Live.ASK)]
        path.write_bytes(good)
        assert await world.permit()

    tell(story)


def test_an_agent_that_has_its_socket_wait(tell: Callable[[Story], None]) -> None:
    """Its flags are of the socket, which it shares; nobody waits for it all the same."""

    async def story(world: World) -> None:
        given, kept = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        shared = given.dup()
        assert world.agents.add(given, 1000, ONE.name)
        shared.setblocking(True)
        agent = world.agents._agents[0]
        await asyncio.wait_for(asyncio.to_thread(world.agents._heard, agent), 5)
        kept.setblocking(False)
        waiting = world.permit()
        await answer(kept, "allow-once")
        assert await waiting

    tell(story)
