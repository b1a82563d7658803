"""What a user is shown of the journal: which lines are asked for, and how one reads; and an app in the background."""

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tau import background, log_line, log_wish
from tau.helper import instance, log, places
from tau.helper.refusal import RefusedError
from tau.log_wish import LogWish, LogWishError
from tau.record import Record
from tau.relay import RelayError
from tau.status import Status
from tau.ticket import Asked, Wish

APP = Record(1000, "org.example.app", (1, 0, 0, 0), 1, 0, b"h" * 32, b"s" * 32, ("bin/app",))
NAME = "app-tau-1000-org.example.app-0000002a.service"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "APPS", tmp_path)
    monkeypatch.setattr(instance, "CGROUP", tmp_path / "apps.slice")
    return tmp_path


def install(store: Path, app: Record) -> None:
    folder = store / str(app.uid) / app.app / app.root_hash.hex()
    folder.mkdir(parents=True)
    (folder / "record").write_bytes(app.pack())
    (folder.parent / "current").symlink_to(folder.name)


def groups(uid: int = 1000, app: str = "", wish: LogWish | None = None) -> list[list[str]]:
    """The matches of the command, by the lists of which a line has all of one."""
    words = log.command(uid, app, wish or LogWish(), 42)
    found: list[list[str]] = [[]]
    for word in words[words.index("/usr/bin/journalctl") + 1 :]:
        if word == "+":
            found.append([])
        elif not word.startswith("--"):
            found[-1].append(word)
    return found


@given(st.integers(0, log_wish.MAX_LINES), st.booleans())
def test_what_is_wished_arrives(lines: int, follow: bool) -> None:
    assert log_wish.unpack(LogWish(lines, follow).pack()) == LogWish(lines, follow)


@given(st.binary(max_size=20))
def test_any_other_wish_is_refused(data: bytes) -> None:
    try:
        taken = log_wish.unpack(data)
    except LogWishError:
        return
    assert taken.pack() == data


def test_lines_have_bounds() -> None:
    for lines in (-1, log_wish.MAX_LINES + 1):
        with pytest.raises(LogWishError):
            LogWish(lines).pack()


def test_every_line_is_the_users_own(store: Path) -> None:
    """Each list holds a field that nobody writes but the kernel, journald or PID 1, and in it whose it is."""
    install(store, APP)
    install(store, APP._replace(app="org.example.other", root_hash=b"o" * 32))
    install(store, APP._replace(uid=1001, root_hash=b"x" * 32))
    for app in ("", APP.app):
        found = groups(app=app)
        for group in found:
            assert any(word.startswith("_") for word in group), group
            assert [word for word in group if "1000" in word], group
            assert not [word for word in group if "1001" in word or "78" * 32 in word], group
        assert {"_PID=1", "TAU_USER=1000"} <= set(found[0]) and ("TAU_APP=org.example.app" in found[0]) == bool(app)
        # What the end of its first process has said is said once.
        assert set(found[0]) - set(found[1]) >= {f"MESSAGE_ID={log.EXITED}"} and "UNIT_RESULT=timeout" in found[1]
        assert "UNIT_RESULT=exit-code" not in found[1] and {"_PID=1", "TAU_USER=1000"} <= set(found[1])
        assert {"_SYSTEMD_SLICE=apps-1000.slice", "_TRANSPORT=stdout"} <= set(found[2])
        assert ("SYSLOG_IDENTIFIER=org.example.app" in found[2]) == bool(app)
        assert f'_AUDIT_FIELD_PROFILE="{instance.profile(APP)}"' in found[3] and "_TRANSPORT=audit" in found[3]
        assert f"_SYSTEMD_UNIT={instance.bundle_unit(APP)}" in found[4]
        assert len(found) == (5 if app else 7)
    assert not [word for group in groups(1002) for word in group if "AUDIT" in word]


def test_a_record_that_can_not_be_read_hides_nothing_else(store: Path) -> None:
    install(store, APP)
    (store / "1000/org.example.app" / APP.root_hash.hex() / "record").write_text("none")
    assert len(groups(app=APP.app)) == 3


def test_how_it_is_read() -> None:
    words = log.command(1000, "", LogWish(7, follow=True), 42)
    assert "--unit=tau-log-1000-0000002a.service" in words and "--slice=apps-1000.slice" in words
    assert "--property=BindsTo=user@1000.service" in words  # the last session's end is its own
    assert {"--lines=7", "--follow", "--output=json"} <= set(words[words.index("--") :])
    plain = log.command(1000, "", LogWish(), 42)
    assert "--lines=all" in plain and "--follow" not in plain


@pytest.mark.parametrize(
    ("wish", "app", "details"),
    [
        (Wish.RUN, "", LogWish().pack()),
        (Wish.LOG, "*", LogWish().pack()),
        (Wish.LOG, "", b""),
        (Wish.LOG, "", b"\xff" * 8),
    ],
)
def test_what_no_ticket_asks_for(wish: Wish, app: str, details: bytes) -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(RefusedError) as caught:
            log.read(Asked(1000, wish, app, (writing,), details))
        assert caught.value.status == Status.NO_TICKET
    finally:
        os.close(reading)
        os.close(writing)


def test_only_into_a_pipe_and_not_without_end(store: Path) -> None:
    details, (reading, writing) = LogWish().pack(), os.pipe()
    with (store / "file").open("wb") as file, pytest.raises(RefusedError, match="pipe"):
        log.read(Asked(1000, Wish.LOG, "", (file.fileno(),), details))
    assert log.read(Asked(1000, Wish.LOG, APP.app, (writing,), details)).command[0] == "systemd-run"
    for number in range(8):
        (store / f"apps.slice/apps-1000.slice/tau-log-1000-{number:08x}.service").mkdir(parents=True)
    with pytest.raises(RefusedError) as caught:
        log.read(Asked(1000, Wish.LOG, "", (writing,), details))
    assert caught.value.status == Status.NO_SPACE
    assert log.read(Asked(1001, Wish.LOG, "", (writing,), details))
    os.close(reading)
    os.close(writing)


def line(**fields: object) -> log_line.LogLine | None:
    return log_line.read(json.dumps({"__REALTIME_TIMESTAMP": "1700000000500000", **fields}).encode())


@pytest.mark.parametrize(
    ("fields", "event", "text", "status"),
    [
        ({"MESSAGE_ID": log.BEGINS}, "begins", "begins", None),
        ({"MESSAGE_ID": log.EXITED, "EXIT_CODE": "exited", "EXIT_STATUS": "7"}, "ends", "ends: status 7", 7),
        (
            {"MESSAGE_ID": log.EXITED, "EXIT_CODE": "exited", "EXIT_STATUS": "143"},
            "ends",
            "ends: status 143 (SIGTERM)",
            143,
        ),
        (
            {"MESSAGE_ID": log.EXITED, "EXIT_CODE": "killed", "EXIT_STATUS": "9"},
            "ends",
            "ends: status 137 (SIGKILL)",
            137,
        ),
        ({"MESSAGE_ID": log.EXITED, "EXIT_CODE": "exited", "EXIT_STATUS": "255"}, "ends", "ends: status 255", 255),
        ({"MESSAGE_ID": log.EXITED}, "ends", "ends", None),
        ({"MESSAGE_ID": log.SUCCEEDED}, "ends", "ends: status 0", 0),
        ({"MESSAGE_ID": log.OUT_OF_MEMORY}, "memory", "out of memory: the system has ended a process of it", None),
        ({"MESSAGE_ID": log.FAILED, "UNIT_RESULT": "timeout"}, "fails", "fails: timeout", None),
        ({"MESSAGE_ID": log.NOT_STARTED}, "fails", "could not be started", None),
    ],
)
def test_what_pid_1_says(fields: dict[str, str], event: str, text: str, status: int | None) -> None:
    wanted = log_line.LogLine(1700000000.5, "org.example.app", "0000002a", event, text, status)
    assert line(UNIT=NAME, _SYSTEMD_UNIT="init.scope", **fields) == wanted


def test_what_an_app_says_is_text_whatever_it_says() -> None:
    for message, text in (
        ("ends: status 0", "ends: status 0"),
        ([27, 91, 50, 74, 255], "\x1b[2J\ufffd"),
        (None, "(too long)"),
        (["first", "second"], "first"),
    ):
        found = line(_SYSTEMD_UNIT=NAME, _TRANSPORT="stdout", MESSAGE=message, MESSAGE_ID=log.BEGINS)
        assert found and (found.event, found.text, found.status) == ("says", text, None)


def test_what_is_refused_and_what_can_not_be_mounted() -> None:
    fields = {"_AUDIT_FIELD_PROFILE": f'"{instance.profile(APP)}"', "_TRANSPORT": "audit"}
    asked = {"_AUDIT_FIELD_OPERATION": '"open"', "_AUDIT_FIELD_REQUESTED_MASK": '"r"', "_AUDIT_FIELD_NAME": "/a b"}
    found = line(**fields, **asked)
    assert found and (found.app, found.instance, found.text) == (APP.app, "", "refused: open /a b (r)")
    found = line(**fields, _AUDIT_FIELD_OPERATION='"create"', _AUDIT_FIELD_FAMILY='"inet"')
    assert found and found.text == "refused: create inet"
    found = line(_SYSTEMD_UNIT=instance.bundle_unit(APP), _TRANSPORT="stdout", MESSAGE="its data are a link")
    assert found and (found.app, found.event, found.text) == (APP.app, "fails", "its data are a link")


@given(
    st.one_of(
        st.binary(max_size=100),
        st.dictionaries(
            st.sampled_from(["__REALTIME_TIMESTAMP", "UNIT", "MESSAGE", "MESSAGE_ID", "_TRANSPORT"]),
            st.one_of(st.none(), st.just(NAME), st.just("1"), st.lists(st.integers(-1, 300)), st.floats()),
        ).map(lambda entry: json.dumps(entry).encode()),
    )
)
def test_any_other_line_says_nothing(data: bytes) -> None:
    log_line.read(data)


def test_what_means_nothing_to_a_user() -> None:
    assert line(UNIT="ssh.service", MESSAGE_ID=log.BEGINS) is None
    assert line(UNIT=NAME, MESSAGE_ID="ae8f7b866b0347b9af31fe1c80b127c0") is None
    assert log_line.read(b"[]") is None


def test_it_has_begun_or_ended_or_never_was() -> None:
    looks = iter([None, None, 4711])
    kept, given_ = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with kept, given_:
        assert background.begun(kept, lambda: next(looks)) is None
        given_.send(b"7")
        assert background.begun(kept, lambda: None) == 7
        given_.send(b"-")
        with pytest.raises(RelayError, match="could not be started"):
            background.begun(kept, lambda: None)
        given_.close()
        with pytest.raises(RelayError):
            background.begun(kept, lambda: None)
