"""Long programs: what they leave running when they are stopped (nothing), and a log that can't be written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from image import process
from image.findings import FindingsError
from image.process import Interrupted, interruptible, run_logged
from tests.host.filesystem import on_small_disk
from tests.project import ROOT

#: Starts a child of its own, which tells both their numbers. Neither ends on the signals that $1 names, and the child
#: not on SIGINT in any case, as whatever a shell has put into the background.
STUBBORN = """trap '' $1
sh -c "trap '' $1; echo started $$ "'$$'"; while :; do sleep 0.1; done" &
while :; do sleep 0.1; done
"""


class StopError(Exception):
    pass


def run(tmp_path: Path, *command: str, stop: BaseException | None = None) -> list[str]:
    """Run a command; with `stop`, raise it at its first line."""
    lines: list[str] = []

    def listen(line: str) -> None:
        lines.append(line)
        if stop is not None:
            raise stop

    try:
        run_logged(command, what="trying", log=tmp_path / "log", cwd=tmp_path, env=os.environ, listen=listen)
    except StopError:
        assert stop is not None
    return lines


def runs(number: int) -> bool:
    """Whether a process runs, and is not only a record that nobody has collected."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("ignored", ["", "INT", "INT TERM"])
def test_nothing_is_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: str) -> None:
    monkeypatch.setattr(process, "_GRACE", 0.5)
    script = STUBBORN if ignored else STUBBORN.replace("trap '' $1", ":")
    (said,) = run(tmp_path, "sh", "-c", script, "sh", ignored, stop=StopError())
    numbers = [int(word) for word in said.split()[1:]]
    end = time.monotonic() + 10
    while any(runs(number) for number in numbers) and time.monotonic() < end:
        time.sleep(0.05)
    assert len(numbers) == 2 and not any(runs(number) for number in numbers)


def test_a_second_stop_has_no_patience(tmp_path: Path) -> None:
    """Ctrl-C twice: what does not end is killed at once, and not after its twenty seconds."""
    program = f"""
import os, sys
from pathlib import Path
from image.process import run_logged
run_logged(["sh", "-c", {STUBBORN!r}, "sh", "INT TERM"], what="trying", log=Path("log"), cwd=Path("."), env=os.environ,
    listen=lambda line: print(line, flush=True))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        numbers = [int(word) for word in started.stdout.readline().split()[1:]]
        begun = time.monotonic()
        started.send_signal(signal.SIGINT)
        time.sleep(1)
        started.send_signal(signal.SIGINT)
        assert started.wait(60) != 0
        assert time.monotonic() - begun < 15
    assert len(numbers) == 2 and not any(runs(number) for number in numbers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_become_an_exception_and_only_within_the_block(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught, interruptible():
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert caught.value.number == number and signal.getsignal(number) is before


def test_what_is_ignored_stays_ignored(request: pytest.FixtureRequest) -> None:
    """nohup(1): the terminal may be closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, before))
    with interruptible():
        os.kill(os.getpid(), signal.SIGHUP)


def test_a_program_that_fails(tmp_path: Path) -> None:
    with pytest.raises(FindingsError) as caught:
        run(tmp_path, "sh", "-c", "seq 100; echo no such thing >&2; exit 7")
    said = str(caught.value)
    assert said.startswith("trying failed (exit status 7)") and "no such thing" in said and f"{tmp_path}/log" in said
    assert len(said.splitlines()) < 20  # the rest is in the log
    assert "\n1\n2\n3\n" in (tmp_path / "log").read_text()


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="trying: no-such-program can't be run: No such file"):
        run(tmp_path, "no-such-program")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    assert run(tmp_path, "printf", r"\377\376 \000 \033[31m\n")
    with pytest.raises(FindingsError) as caught:
        run(tmp_path, "sh", "-c", r"printf '\377 \033[31m\n'; exit 1")
    assert "\x1b" not in str(caught.value)


def test_a_log_on_a_full_disk(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    program = f"""
import os
from pathlib import Path
from image.process import run_logged
log = Path({str(logs / "log")!r})
command = ["sh", "-c", "echo $$; seq 100000; sleep 100"]
run_logged(command, what="x", log=log, cwd=Path("/"), env=os.environ, listen=print)
"""
    with on_small_disk(logs, 64) as disk:
        command = [*disk.prefix, sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert done.stderr.strip().endswith("logs/log: can't be written: No space left on device")
    assert not runs(int(done.stdout.split()[0]))
