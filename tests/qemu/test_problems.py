"""What makes a boot unclean, from a console, a journal and a list of failed units that are given."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qemu.console import Console
from qemu.errors import UncleanBootError
from qemu.machine import Machine
from qemu.shell import Answer
from tests.qemu.line import Line


class Asked(Machine):
    """A machine of which only the answers exist."""

    def __init__(self, console: Console, journal: str, failed: str = "") -> None:
        self._console = console
        self._answers = {"journalctl": journal, "systemctl": failed}

    def run(self, command: str, timeout: float = 120, stdin: bytes = b"") -> Answer:
        return Answer(0, self._answers[command.split(" ")[0]].encode(), b"", 0, 0)

    def start(self) -> None:
        pass

    def wait_for_boot(self, timeout: float = 1) -> str:
        return "degraded"


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    line = Line(tmp_path / "serial.sock", terminal=False)
    console = Console(line.path, tmp_path / "console.log")
    line.inject(b"[\x1b[0;1;31mFAILED\x1b[0m] Failed to start a.service - A.\r\nlogin: ")
    console.expect("login: ")
    yield console
    console.close()
    line.close()


JOURNAL = "[ 1.0] systemd[1]: Failed to start a.service - A.\n[ 2.0] kernel: b[7]: segfault at 0 ip 0\n"


def test_problems_come_from_console_journal_and_units_each_once(console: Console) -> None:
    assert Asked(console, JOURNAL, "a.service loaded failed failed A\n").problems() == [
        "failed unit: [FAILED] Failed to start a.service - A.",
        "crashed program: [ 2.0] kernel: b[7]: segfault at 0 ip 0 (journal)",
        "failed unit: a.service loaded failed failed A",
    ]
    assert Asked(console, "[ 1.0] systemd[1]: Started a.service.\n").problems(console.mark()) == []


def test_an_unclean_boot_is_an_error_unless_it_was_asked_for(console: Console) -> None:
    with pytest.raises(UncleanBootError, match=r"(?s)degraded.*crashed program.*console\.log"):
        Asked(console, JOURNAL).boot()
    assert Asked(console, JOURNAL).boot(clean=False) == "degraded"
