"""The question at the user's terminal: not to be disguised, typed ahead, or answered by anything but a letter."""

import fcntl
import os
import pty
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest
from tau.agent import Question
from tau.prompt import _CHOICES as CHOICES
from tau.prompt import text

from overlays.sandboxd.author.tools import SOURCE

PROGRAM = str(Path(__file__).with_name("ask_at_terminal.py"))
READY = "Your answer: "


class Asked:
    """A program that asks, at a terminal of its own."""

    def __init__(
        self, detail: str = "the address of example.org", background: bool = False, permission: str = "network"
    ) -> None:
        self.agent, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.word, told = os.pipe()
        ended, self.end = os.pipe()
        self.shown = self.all = ""
        self.process, self.terminal = pty.fork()
        if not self.process:
            # First out of the way of one another, whatever numbers they have.
            kept = [fcntl.fcntl(each, fcntl.F_DUPFD, 16) for each in (told, theirs.fileno(), ended)]
            for number, each in enumerate(kept):
                os.dup2(each, 3 + number)
            if background and os.fork():
                os.setpgid(0, 0)
                signal.pause()
            elif background:
                os.setpgid(0, 0)
            argv = [sys.executable, PROGRAM, "org.example.app", detail, permission]
            os.execve(sys.executable, argv, {"PYTHONPATH": str(SOURCE), "LC_ALL": "C.UTF-8"})
        for each in (told, ended):
            os.close(each)
        theirs.close()

    def until(self, expected: str) -> None:
        deadline = time.monotonic() + 20
        while expected not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.terminal], [], [], 1)[0]:
                said = os.read(self.terminal, 4096).decode()
                self.shown, self.all = self.shown + said, self.all + said
        self.shown = self.shown.partition(expected)[2]

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def answer(self) -> str:
        assert select.select([self.word], [], [], 20)[0], self.shown
        return os.read(self.word, 100).decode()

    def close(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        for each in (self.word, self.end, self.terminal):
            os.close(each)
        self.agent.close()


@pytest.fixture
def asked() -> Iterator[Asked]:
    program = Asked()
    yield program
    program.close()


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ("o\n", "allow-once"),
        ("S\n", "allow-session"),
        (" a \n", "allow-always"),
        ("n\n", "deny-once"),
        ("v\n", "deny-always"),
        ("\n", "dismissed"),
        ("\x04", "dismissed"),
    ],
)
def test_an_answer(asked: Asked, keys: str, word: str) -> None:
    asked.until(READY)
    asked.type(keys)
    assert asked.answer() == word


def test_something_else_is_no_answer(asked: Asked) -> None:
    for said in ("yes", "oo", "allow-once"):
        asked.until(READY)
        asked.type(f"{said}\n")
    assert asked.answer() == "dismissed"


def test_what_is_typed_before_it_has_stood_for_a_moment_is_thrown_away(asked: Asked) -> None:
    asked.type("a\na\na")
    asked.until("Enter alone")
    asked.type("a\na\na\n")
    asked.until(READY)
    asked.type("n\n")
    assert asked.answer() == "deny-once"


def test_what_it_shows_of_others_is_not_obeyed() -> None:
    program = Asked("\x1b[2J\x1b[31m\r\nAllowed\u202e\x9b1m")
    program.until(r"\x1b[2J\x1b[31m\r\nAllowed\u202e\x9b1m")
    program.close()


def test_no_word_is_taken_apart_at_the_edge() -> None:
    """Nor does a name that leads over it begin a line as the choices do, with spaces."""
    program = Asked(f"the address of{' ' * 30}a  always{' ' * 30}{'b' * 30} example.org")
    program.until("example.org\r\n")
    lines = program.all.partition("Tau OS asks:\r\n")[2].splitlines()
    first = "org.example.app wants to use the internet: the address of"
    assert lines[:3] == [first, f"a  always{' ' * 30}{'b' * 30}", "example.org"]
    program.close()


@pytest.mark.parametrize(
    ("there", "told"), [(["video0"], "use the camera\n"), ([], "use the camera (there is none now)\n")]
)
def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch, there: list[str], told: str) -> None:
    monkeypatch.setattr("tau.prompt.nodes.of", lambda permission: there)
    with Path(os.devnull).open() as nowhere:
        assert told in text(Question(1, "org.example.app", "camera", ""), nowhere.fileno())


def test_what_is_none_of_the_answers_is_told(asked: Asked) -> None:
    asked.until(READY)
    asked.type("y\n")
    asked.until("That is none of them. One letter, o, s, a, n or v, and Enter; or Enter alone.\r\nYour answer: ")
    asked.type("never\n")
    assert asked.answer() == "deny-always"


@pytest.mark.parametrize(
    "before",
    [
        "\x1b]0;title",
        "\x1bP",
        "\x1b[38;5;",
        "\x1b[8m\x1b[30;40m\x1b[7m",
        "\x1b[3;5r\x1b[5;1H",
        "\x1b[4h\x1b[?7l",
        "\x0e\x1b(0",
        "\x1b[?25l",
        "\x1b[1;1H" + "\n".join(f"Your answer:      (a: no, for good) {line}" for line in range(14)) + "\x1b[3;1H",
    ],
)
def test_what_an_app_has_left_on_the_screen_does_not_disguise_it(asked: Asked, before: str) -> None:
    asked.until(READY)
    screen = pyte.Screen(80, 16)
    stream = pyte.Stream(screen)
    stream.feed(before)
    stream.feed(asked.all)
    lines = [line.rstrip() for line in screen.display]
    first = lines.index("Tau OS asks:")
    assert lines[first + 1] == "org.example.app wants to use the internet: the address of example.org"
    assert [line for line in lines[first + 2 :] if line] == [*CHOICES.splitlines(), READY.rstrip()]
    letter = screen.buffer[first][0]
    assert (letter.fg, letter.bg, letter.reverse) == ("default", "default", False)
    assert not screen.cursor.hidden


def test_of_a_long_name_its_end_is_shown() -> None:
    program = Asked("the address of " + "a." * 500 + "example.org")
    program.until("example.org\r\n")
    program.close()


def test_it_is_over_when_nobody_asks_any_more(asked: Asked) -> None:
    asked.until(READY)
    asked.agent.send(b"6\0")
    asked.agent.send(b"7\0")
    asked.until("(no longer asked: it was answered elsewhere, or two minutes are over)")
    assert asked.answer() == "nothing"


def test_it_is_over_when_the_other_side_has_gone(asked: Asked) -> None:
    asked.until(READY)
    asked.agent.close()
    assert asked.answer() == "nothing"


def test_it_is_dismissed_when_the_app_has_ended(asked: Asked) -> None:
    asked.until("Tau OS asks:")
    os.write(asked.end, b"-")  # something else has happened
    asked.until(READY)
    os.write(asked.end, b"-x")
    assert asked.answer() == "dismissed"


def test_who_is_in_the_background_asks_nobody() -> None:
    program = Asked(background=True)
    assert program.answer() == "elsewhere"
    program.close()


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (["o", "bad", "Work"], "org.example.app may use Work: allow-once"),
        (["a", "bad", "bad", "bad"], "dismissed"),
        (["s", ""], "dismissed"),
        (["n"], "deny-once"),
    ],
)
def test_a_folder_is_named_with_the_yes(lines: list[str], word: str) -> None:
    program = Asked("", permission="filesystem:rw:picked")
    try:
        program.until("that you\r\nchoose\r\n")
        program.until(READY)
        for number, line in enumerate(lines):
            program.type(f"{line}\n")
            if number < len(lines) - 1:
                program.until("Which folder? ~/")
        assert program.answer() == word
    finally:
        program.close()
