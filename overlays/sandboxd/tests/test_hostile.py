"""Whatever is said to the parts that hold apps: what comes of it is something that can be asked for, or nothing."""

import asyncio
import gc
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tau import ticket
from tau.agent import Agent
from tau.daemon.consent import Consent
from tau.daemon.portal import Portal
from tau.decisions import DECISIONS
from tau.helper import __main__ as helper
from tau.helper import nflog
from tau.permissions import PERMISSIONS, mask_of
from tau.portal import MOST_BYTES, UNDECLARED
from tau.running import Running
from tau.status import Status
from tau.wire import Decision, Request, Verb

#: Words of a ticket that is nearly one: a wish that there is or not, something in the padding, and an id or not.
_words = st.builds(
    lambda wish, padding, app, rest: bytes([wish]) + padding + app.ljust(128, b"\0") + rest,
    st.integers(0, 9),
    st.binary(min_size=7, max_size=7),
    st.sampled_from([b"", b"org.example.app", b"../../etc", b"-x", b"org.example.%n"]) | st.binary(max_size=128),
    st.binary(max_size=40),
)


@pytest.fixture(autouse=True)
def anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who made a ticket is looked at on a booted machine."""
    gc.collect()  # what other tests have left open is not to be closed while files are counted
    monkeypatch.setattr(ticket, "_maker", lambda _: 1000)


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@given(_words | st.binary(min_size=1, max_size=300), st.integers(0, 5))
def test_any_words_are_a_ticket_or_none(words: bytes, count: int) -> None:
    before = open_files()
    with pair() as (one, other):
        socket.send_fds(one, [words], [0] * count)
        try:
            asked = ticket.read(other)
        except ticket.TicketError:
            pass
        else:
            assert len(asked.files) == ticket._FILES[asked.wish]
            assert asked.app.isascii() and (not asked.details or asked.wish in ticket._WITH_DETAILS)
            for each in asked.files:
                os.close(each)
    assert open_files() == before


@given(
    st.binary(min_size=1, max_size=300)
    | st.builds(
        lambda number, app: f"{number}\0{app}\0network\0".encode(),
        st.integers(0, 10**400) | st.from_regex(r"0{0,200}[0-9]{1,200}", fullmatch=True),
        st.text(max_size=150),
    ),
    st.sampled_from([*DECISIONS, "dismissed", "elsewhere"]),
)
def test_no_answer_of_a_users_is_a_ticket(said: bytes, word: str) -> None:
    """A sandboxd that was taken over has their socket, and chooses the number that comes back on it."""
    agent = Agent(lambda question, agent: word, bus=None)
    with pair() as (theirs, ours):
        agent.connection = theirs
        ours.send(said)
        agent.serve()
        assert agent.connection is theirs
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ticket.TicketError):
            ticket.read(ours)


@given(st.sampled_from(Verb), st.integers(0, 2**64 - 1) | st.integers(0, 2**48 - 1))
def test_without_a_ticket_nothing_but_numbers_counts(verb: Verb, number: int) -> None:
    """What the helper does for sandboxd alone: decide, by the table, on an instance; and what waits for an answer."""
    done: list[tuple[object, ...]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(helper, "decide", lambda *given: done.append(given))
        for name in ("commit", "drop"):
            patch.setattr(helper, name, lambda *given: None)
        for name in ("stage", "remove", "pick", "start"):
            patch.setattr(helper, name, lambda *given: pytest.fail("there is no ticket"))
        patch.setattr(nflog, "listen", lambda: socket.socket(socket.AF_UNIX))
        answers: list[int] = []
        answer = helper._serve(Request(verb, number), None, [], os.getgid(), answers)
        for each in answers:
            os.close(each)
    if verb in helper._BY_TICKET:
        assert answer.status == Status.BAD_REQUEST
    for instance, permission, decision in done:
        assert isinstance(instance, int) and 0 <= instance < 2**32
        assert permission in PERMISSIONS and isinstance(decision, Decision)
    assert bool(done) == (verb == Verb.DECIDE and answer.status == Status.DONE)


@given(st.binary(min_size=1, max_size=MOST_BYTES) | st.text(min_size=1, max_size=30).map(str.encode))
def test_an_app_that_asks_for_anything_at_all(asked: bytes) -> None:
    """Of what its manifest does not declare, its user hears nothing."""
    assume(asked != b"camera")
    who = Running(1000, "org.example.app", b"s" * 32, mask_of(["camera"]), 7)

    class Nobody:
        async def permit(self, *given: object) -> bool:
            raise AssertionError(given)

    async def told() -> bytes:
        with pair() as (app, ours):
            app.setblocking(False)
            answering = asyncio.ensure_future(Portal(cast("Consent", Nobody()))._answer(ours, who))
            await asyncio.get_running_loop().sock_sendall(app, asked)
            said = await asyncio.get_running_loop().sock_recv(app, MOST_BYTES)
            app.close()
            await answering
            return said

    assert asyncio.run(told()) == UNDECLARED
