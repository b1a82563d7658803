"""The step before an app's own program, and the end of one: as they are seen by a person at a terminal."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tau import begin, command_stop, portal
from tau.command_ps import Running

from overlays.sandboxd.author.tools import SOURCE

#: Says which signals it ignores, and where it is.
PROGRAM = (
    "import os, signal; print([n.name for n in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM)"
    " if signal.getsignal(n) == signal.SIG_IGN], os.getcwd())"
)


def began(*words: str, ignored: str = "", patched: str = "") -> subprocess.CompletedProcess[str]:
    script = f"{ignored}import sys; sys.path.insert(0, {str(SOURCE)!r}); {patched}from tau.begin import main; main()"
    command = [sys.executable, "-c", script, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/")


def test_its_program_is_as_it_would_be_without(tmp_path: Path) -> None:
    # What Python itself ignores is not what shows: a shell says what it was started with.
    shell = ["/bin/sh", "-c", "grep SigIgn /proc/$$/status; pwd"]
    plain = subprocess.run(shell, capture_output=True, text=True, check=True, cwd="/", restore_signals=True).stdout
    assert began("", "--", *shell).stdout == plain
    elsewhere = "import tau.begin; tau.begin.INSIDE = '/proc'; "
    assert began(str(tmp_path), "--", *shell, patched=elsewhere).stdout.splitlines()[-1] == str(tmp_path)
    assert began(str(tmp_path / "nothing"), "camera", "--", *shell, patched=elsewhere).stdout == plain
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    assert began("", "--", *shell, ignored=ignoring).stdout != plain
    # What is not attached is a folder of the system's.
    monkeypatched = f"import tau.begin; tau.begin.INSIDE = {str(tmp_path)!r}; "
    assert began(str(tmp_path), "--", *shell, patched=monkeypatched).stdout == plain


def test_each_permission_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as it takes, and not for ever."""
    asked: list[str] = []

    def request(permission: str) -> bool:
        asked.append(permission)
        if permission == "camera":
            raise ConnectionRefusedError
        return False

    done: list[list[str]] = []
    monkeypatch.setattr(begin, "request", request)
    monkeypatch.setattr(begin, "_BETWEEN", 0)
    monkeypatch.setattr(os, "execv", lambda path, words: done.append(words))
    monkeypatch.setattr(sys, "argv", ["begin", "", "camera", "filesystem:ro", "--", "/app/bin/x", "--", "camera"])
    before = [signal.getsignal(each) for each in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ)]
    try:
        begin.main()
    finally:
        for each, handler in zip((signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ), before, strict=True):
            signal.signal(each, handler)
    assert asked == ["camera"] * 3 + ["filesystem:ro"] and done == [["/app/bin/x", "--", "camera"]]
    assert portal.SOCKET == "/run/tau/portal"


@pytest.mark.parametrize("script", ["exec sleep 60", "trap '' TERM; echo; while :; do sleep 0.1; done"])
def test_it_is_stopped_one_way_or_the_other(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
    if "trap" in script:
        assert child.stdout and child.stdout.readline()
    monkeypatch.setattr(command_stop, "_GRACE", 500)
    monkeypatch.setattr(command_stop, "running", lambda: [Running("org.example.app", "00000007", child.pid, 1)])
    assert not command_stop.stop("org.example.other") and child.poll() is None
    assert command_stop.stop("org.example.app")
    assert child.wait(10) == -(signal.SIGKILL if "trap" in script else signal.SIGTERM)
