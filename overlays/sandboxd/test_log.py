"""What a user's apps have done, from the journal, and apps that are left to themselves."""

import json
from collections.abc import Callable

import pytest

from overlays.sandboxd.conftest import APP
from overlays.sandboxd.test_run import KEPT, LEFT
from qemu.machine import Machine
from qemu.terminal import USER, Terminal

pytestmark = [pytest.mark.row(10), pytest.mark.destructive, pytest.mark.xdist_group("apps")]

AS_SECOND = "systemd-run --quiet --wait --pipe --uid=second -p PAMName=login -- "


@pytest.fixture
def start(installed: Callable[..., str]) -> str:
    """An app that runs what it is told to; the command that starts it."""
    return installed("network")


def logged(shown: str) -> list[tuple[str, str]]:
    """What `tau log --json` shows: each line's event and text."""
    entries = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
    assert all(each["app"] == APP for each in entries)
    return [(each["event"], each["text"]) for each in entries]


def test_what_an_app_has_done(user: Terminal, machine: Machine, start: str) -> None:
    """Its begin and end, what it was refused, and that memory ran out; of none of it is a word said in its streams."""
    user.run(f"{start} sh -c 'ls /srv; exit 7'; {start} sh -c 'kill -TERM $$'", 120)
    machine.succeed("mkdir -p /run/systemd/system/app-tau-.service.d")
    machine.succeed(
        "printf '[Service]\\nMemoryMax=64M\\nMemoryHigh=infinity\\nMemorySwapMax=0\\n'"
        " >/run/systemd/system/app-tau-.service.d/90-small.conf; systemctl daemon-reload"
    )
    user.run(f"{start} python3 -c 'str(9) * (1 << 27)'", 240)
    found = logged(user.succeed(f"tau log {APP} --json", 60))
    for expected in (
        ("begins", "begins"),
        ("ends", "ends: status 7"),
        ("ends", "ends: status 143 (SIGTERM)"),
        ("memory", "out of memory: the system has ended a process of it"),
    ):
        assert expected in found, found
    assert ("refused", "refused: open /srv/ (r)") in found, found
    assert not [each for each in found if each[0] == "says"]
    assert len(logged(user.succeed("tau log --json --lines 2", 60))) == 2


def test_one_that_is_left_to_itself(user: Terminal, machine: Machine, start: str) -> None:
    """It runs on without a terminal, until the logout; it is kept what it says, as text and under its id."""
    say = 'echo begun; printf "<0>all of you\\n" >&2; read x || echo nothing to read; exec sleep 999'
    shown = user.succeed(f"tau run --background {APP} sh -c '{say}'", 120)
    assert f"{APP} runs." in shown and "begun" not in shown
    user.succeed(f"until tau log {APP} | grep '> nothing to read'; do sleep 0.5; done", 60)
    found = logged(user.succeed(f"tau log {APP} --json", 60))
    assert found == [
        ("begins", "begins"),
        *(("says", text) for text in ("begun", "<0>all of you", "nothing to read")),
    ]
    assert "> <0>all of you" in user.succeed("tau log", 60)
    assert APP in user.succeed("tau ps", 60)
    # As it comes; what reads the journal ends with whoever reads it.
    follow = f"(tau log --follow {APP} >/tmp/f 2>&1 & echo $! >/tmp/p; wait) &"
    user.succeed(f"{follow} until grep -q begun /tmp/f; do sleep 0.5; done", 60)
    user.succeed(f"tau stop {APP}; until grep 'ends: status' /tmp/f; do sleep 0.5; done; kill $(cat /tmp/p); wait", 60)
    machine.wait_until("! systemctl list-units --no-legend 'tau-log-*' | grep .", 60)
    # One that never begins, and one that has ended at once.
    status, shown = user.run(f"tau run --background {APP}.not", 60)
    assert status == 125 and "is not installed" in shown
    status, shown = user.run(f"tau run --background {APP} sh -c 'exit 3'", 60)
    assert status in (0, 3)
    user.succeed(f"until tau log {APP} | grep 'ends: status 3'; do sleep 0.5; done", 60)
    user.succeed(f"tau run --background {APP} sleep 999", 120)
    user.log_out()
    machine.wait_until(f'test -z "$({LEFT}; {KEPT})"', 90)


def test_nobody_reads_anothers(user: Terminal, machine: Machine, start: str) -> None:
    """Neither through sandboxd nor past it; and what somebody writes of another's app is not taken for the system's."""
    user.succeed(f"tau run --background {APP} sh -c 'echo mine; sleep 999'", 120)
    user.succeed(f"until tau log {APP} | grep '> mine'; do sleep 0.5; done", 60)
    machine.succeed("useradd --create-home second")
    machine.succeed(f"{AS_SECOND} tau install --yes /var/tmp/app.raw", 120)
    assert machine.succeed(f"{AS_SECOND} tau log --lines 0; {AS_SECOND} tau log {APP}", 120) == ""
    machine.succeed(f"{AS_SECOND} tau run {APP} true", 120)
    said = machine.succeed(f"{AS_SECOND} tau log {APP} --lines 0", 120)
    assert "begins" in said and "mine" not in said, "no control"
    uid = machine.succeed(f"id -u {USER}")
    unit = f"app-tau-{uid}-{APP}-0000000a.service"
    begins = "39f53479d3a045ac8e11786248231fbf"
    fields = {"MESSAGE": "forged", "MESSAGE_ID": begins, "TAU_USER": uid, "TAU_APP": APP, "UNIT": unit}
    forged = "".join(f"{name}={value}\\n" for name, value in fields.items())
    machine.succeed(f"{AS_SECOND} sh -c \"printf '{forged}' | logger --journald; echo forged | systemd-cat -t {APP}\"")
    for match in (f"TAU_USER={uid}", f"SYSLOG_IDENTIFIER={APP}"):
        machine.wait_until(f"journalctl -o cat -q {match} | grep -q forged", 30)
    shown = user.succeed("tau log --lines 0", 60)
    assert shown.count("begins") == 1 and "forged" not in shown
    assert user.run("journalctl --no-pager -q -n 5 _PID=1", 60)[1].strip() in (
        "",
        "No journal files were opened due to insufficient permissions.",
    )
