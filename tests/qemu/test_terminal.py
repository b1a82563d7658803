"""The console's record and a person at it, against a login prompt on a pseudo-terminal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qemu.console import Console, plain
from qemu.errors import GuestSilentError
from qemu.terminal import Terminal
from tests.qemu.line import Line


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path / "serial.sock", terminal=True)
    yield line
    line.close()


@pytest.fixture
def console(line: Line, tmp_path: Path) -> Iterator[Console]:
    console = Console(line.path, tmp_path / "console.log")
    yield console
    console.close()


@pytest.fixture
def terminal(line: Line, console: Console) -> Terminal:
    line.getty()
    return Terminal(console)


def test_log_in_run_and_log_out(terminal: Terminal) -> None:
    terminal.log_in()
    assert terminal.run("(exit 5)")[0] == 5
    assert terminal.succeed("echo one; printf 'two\\n'") == "one\ntwo\n"
    terminal.log_out()
    assert not terminal.logged_in
    assert terminal.try_log_in(), "the prompt is usable again"


def test_a_refusal_is_no_login(terminal: Terminal) -> None:
    assert not terminal.try_log_in(password="wrong")
    assert not terminal.try_log_in(user="nobody")
    assert not terminal.logged_in
    with pytest.raises(AssertionError, match="could not log in"):
        terminal.log_in(password="wrong")


def test_output_full_of_escapes_is_read_as_text(terminal: Terminal) -> None:
    terminal.log_in()
    assert terminal.succeed(r"printf '\e[31mred\e[0m \e]0;title\a\e[?25lplain\r\n'") == "red plain\n"


def test_a_long_command_and_one_that_shows_the_marks_of_the_protocol(terminal: Terminal) -> None:
    terminal.log_in()
    assert terminal.succeed(f"echo {'x' * 300} | wc -c") == "301\n"
    assert terminal.succeed("echo 'login: '; echo 'a$ '") == "login: \na$ \n"


def test_what_the_kernel_says_amid_a_line_is_left_out(terminal: Terminal) -> None:
    terminal.log_in()
    said = "[  163.027757] kauditd_printk_skb: 8 callbacks suppressed\\n"
    said += "[  229.751436] clocksource: Long readout interval, skipping watchdog check: cs_nsec: 1145992207\\n"
    assert terminal.succeed(f"printf '{said}one t{said}wo\\n{said}'") == "one two\n"


def test_questions_are_answered(terminal: Terminal) -> None:
    terminal.log_in()
    status, shown = terminal.run("read -rp 'sure? ' x; echo got=$x", answers={r"sure\? $": "yes\n"})
    assert status == 0
    assert "got=yes" in shown


def test_it_logs_out_of_whatever_runs(terminal: Terminal) -> None:
    terminal.log_in()
    terminal.console.send("sleep 1000\n")
    terminal.log_out()
    terminal.log_in()
    terminal.console.send("bash --norc\n")
    terminal.expect(r"bash[^\n]*\n[^\n]*[$#] $")
    terminal.log_out()
    terminal.log_in()


def test_the_prompt_is_found_in_a_session_that_a_snapshot_brought_back(terminal: Terminal) -> None:
    terminal.log_in()
    terminal.logged_in = False  # what the host knows is not what the guest is at
    assert terminal.try_log_in(), repr(terminal.console.raw_since(0))


def test_a_message_of_the_kernel_behind_the_prompt_is_no_obstacle(terminal: Terminal, line: Line) -> None:
    terminal.expect("login: $")
    line.inject(b"[   60.123456] random: crng init done\r\n")
    terminal.log_in()


def test_the_screen_is_what_a_terminal_shows(terminal: Terminal) -> None:
    terminal.log_in()
    mark = terminal.console.mark()
    terminal.succeed(r"printf '\e[2J\e[3;5Hhere\e[1;1Htop\e[10;1H'")
    screen = terminal.screen(mark)
    assert screen[0].startswith("top")
    assert screen[2] == "    here"


def test_expect_tells_what_the_console_showed_instead(console: Console, line: Line) -> None:
    line.inject(b"first\r\n\x1b[1mKernel\x1b[0m panic\r\n")
    with pytest.raises(GuestSilentError, match=r"(?s)did not show /never/.*Kernel panic.*console\.log"):
        console.expect("never", timeout=0.3)


def test_marks_part_the_record(console: Console, line: Line) -> None:
    line.inject(b"before\r\n")
    console.expect("before")
    mark = console.mark()
    line.inject(b"after\r\n")
    console.expect("after", since=mark)
    assert console.since(mark) == "after\n"
    assert console.text == "before\nafter\n"
    with pytest.raises(GuestSilentError):
        console.expect("before", timeout=0.2, since=mark)


def test_the_log_keeps_every_byte(console: Console, line: Line) -> None:
    data = b"\x1b[31m\xff\xfe\r\n\0end"
    line.inject(data)
    console.expect("end")
    assert console.log.read_bytes() == data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[0;1;31m[FAILED]\x1b[0m x", "[FAILED] x"),
        ("\x1b]3008;start=abc\x1b\\shell", "shell"),
        ("\x1bP+q544e\x1b\\done", "done"),
        ("\x1b(B\x1b[m\x1b[?2004hok\r\n", "ok\n"),
    ],
)
def test_plain(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_a_dialogue_is_answered_question_by_question(terminal: Terminal) -> None:
    terminal.prompt()
    mark = terminal.console.mark()
    terminal.console.send("tester\n")
    mark = terminal.answer(
        [("Password: $", "wrong"), ("incorrect\n(.*\n)*.*login: $", "tester"), ("Password: $", "correct horse")], mark
    )
    terminal.expect(r"[$#] $", since=mark)
    with pytest.raises(GuestSilentError):
        terminal.answer([("Password: $", "x")], since=terminal.console.mark(), timeout=0.5)
