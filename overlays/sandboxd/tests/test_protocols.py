"""What sandboxd, its helper and its users' tickets say to each other: nothing but the messages that there are."""

import gc
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tau import record, ticket, wire
from tau.names import is_id
from tau.record import Record
from tau.status import Status
from tau.ticket import Wish
from tau.wire import Answer, Request, Verb

_ids = st.from_regex(r"[a-z][a-z0-9_]{0,9}(\.[a-z][a-z0-9_]{0,9}){2,3}", fullmatch=True)
_numbers, _large = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
_records = st.builds(
    Record,
    uid=_numbers,
    app=_ids,
    version=st.tuples(_numbers, _numbers, _numbers, _numbers),
    permissions=_numbers,
    additions=_numbers,
    root_hash=st.binary(min_size=32, max_size=32),
    signer=st.binary(min_size=32, max_size=32),
    command=st.lists(_words, min_size=1, max_size=5).map(tuple),
    layout=st.tuples(_large, _large, _large),
    written=st.just(4),
)


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_of_others() -> None:
    """What tests before have left open is closed when Python comes to it: not while files are counted here."""
    gc.collect()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


def test_who_goes_without_having_read_the_answer_has_gone() -> None:
    with pair() as (one, other):
        wire.send_answer(one, wire.Answer(Status.DONE), [])
        other.close()
        assert wire.receive_request(one) is None


@given(_records)
def test_a_record_is_read_as_it_was_written(written: Record) -> None:
    assert record.unpack(written.pack()) == written


@given(_records, st.data())
def test_a_record_of_another_form_is_none(written: Record, data: st.DataObject) -> None:
    content = written.pack()
    cut = data.draw(st.integers(0, len(content) - 1))
    for other in (content[:cut], content + b"x", b"x" + content):
        with pytest.raises(record.RecordError):
            record.unpack(other)


@given(st.binary(max_size=500))
def test_what_is_taken_for_a_record_has_an_id(data: bytes) -> None:
    with suppress(record.RecordError):
        assert is_id(record.unpack(data).app)


@pytest.mark.parametrize(
    ("version", "written", "text"), [((1, 2, 0, 0), 2, "1.2"), ((1, 0, 0, 0), 2, "1.0"), ((9, 0, 0, 0), 1, "9")]
)
def test_a_version_as_its_manifest_has_it(version: tuple[int, int, int, int], written: int, text: str) -> None:
    found = Record(0, "a.b.c", version, 0, 0, b"h" * 32, b"s" * 32, ("x",), written=written)
    assert record.unpack(found.pack()) == found and found.version_text == text
    for wrong in (0, 5, 1 if version[1] else 0):
        with pytest.raises(record.RecordError):
            record.unpack(found._replace(written=wrong).pack())


@given(st.sampled_from(Verb), st.integers(0, 2**64 - 1), st.integers(0, wire.MAX_FILES))
def test_a_request_arrives_with_its_files(verb: Verb, number: int, count: int) -> None:
    with pair() as (one, other):
        wire.send_request(one, Request(verb, number), [0] * count)
        received = wire.receive_request(other)
        assert received is not None
        request, files = received
        assert (request, len(files)) == (Request(verb, number), count)
        for descriptor in files:
            assert not os.get_inheritable(descriptor)
            os.close(descriptor)


@given(st.sampled_from(Status), st.integers(0, 2**64 - 1), st.text(max_size=300))
def test_an_answer_arrives(status: Status, number: int, reason: str) -> None:
    with pair() as (one, other):
        wire.send_answer(one, Answer(status, number, reason), [])
        answer, _ = wire.receive_answer(other)
        assert (answer.status, answer.number) == (status, number)
        assert len(reason) > 50 or "\0" in reason or answer.reason == reason.encode(errors="replace").decode()


@given(st.binary(min_size=1, max_size=400), st.integers(0, wire.MAX_FILES + 2))
def test_what_is_no_message_leaves_no_file_open(data: bytes, count: int) -> None:
    before = open_files()
    for receive in (wire.receive_request, wire.receive_answer):
        with pair() as (one, other):
            socket.send_fds(one, [data], [0] * count)
            try:
                received = receive(other)
            except wire.ProtocolError:
                continue
            assert received is not None
            for descriptor in received[1]:
                os.close(descriptor)
    assert open_files() == before


def test_the_other_side_has_gone() -> None:
    with pair() as (one, other):
        one.close()
        assert wire.receive_request(other) is None
        with pytest.raises(wire.ProtocolError):
            wire.receive_answer(other)


@pytest.fixture
def anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who made a ticket is looked at on a booted machine; here it is what the ticket says."""
    monkeypatch.setattr(ticket, "_maker", lambda _: 1000)


@pytest.mark.usefixtures("anybody")
def test_a_ticket_is_read_once() -> None:
    bundle = os.open("/etc/passwd", os.O_RDONLY)
    given_, kept = ticket.write(Wish.INSTALL, [bundle])
    with given_, kept:
        asked = ticket.read(given_)
        assert (asked.uid, asked.wish, asked.app) == (1000, Wish.INSTALL, "")
        assert len(asked.files) == 1 and os.path.sameopenfile(asked.files[0], bundle)
        os.close(asked.files[0])
        with pytest.raises(ticket.TicketError, match="says nothing, or has been used"):
            ticket.read(given_)
    os.close(bundle)
    given_, kept = ticket.write(Wish.REMOVE, app="org.example.app")
    with given_, kept:
        assert ticket.read(given_).app == "org.example.app"


@pytest.mark.usefixtures("anybody")
@pytest.mark.parametrize("words", [b"", b"x", bytes(136), b"\1" + bytes(135), b"\2" + b"\xff" * 135, bytes(137)])
def test_words_that_nobody_can_say(words: bytes) -> None:
    with pair() as (one, other):
        one.send(words) if words else one.shutdown(socket.SHUT_WR)
        with pytest.raises(ticket.TicketError):
            ticket.read(other)


@pytest.mark.usefixtures("anybody")
@pytest.mark.parametrize(
    ("wish", "count"), [(Wish.INSTALL, 0), (Wish.INSTALL, 2), (Wish.REMOVE, 1), (Wish.RUN, 2), (Wish.RUN, 4)]
)
def test_another_number_of_files_than_the_wish_takes(wish: Wish, count: int) -> None:
    before = open_files()
    with pair() as (one, other):
        socket.send_fds(one, [ticket._WORDS.pack(wish, b"")], [0] * count)
        with pytest.raises(ticket.TicketError):
            ticket.read(other)
    assert open_files() == before


def test_what_is_no_ticket() -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        one, other = socket.socketpair(socket.AF_UNIX, kind)
        with one, other, pytest.raises(ticket.TicketError, match="is none"):
            ticket.read(one)
    with socket.socket() as tcp, pytest.raises(ticket.TicketError, match="is none"):
        ticket.read(tcp)


def test_a_ticket_of_this_very_process_is_no_login_session() -> None:
    """The kernel's answer, not the ticket's: whoever runs these tests has no login session in its control group."""
    given_, kept = ticket.write(Wish.REMOVE, app="org.example.app")
    with given_, kept:
        try:
            assert ticket.read(given_).uid == os.getuid()
        except ticket.TicketError as error:
            said = str(error)
            assert "who is nobody's login" in said or "login session" in said or "is none: " in said
