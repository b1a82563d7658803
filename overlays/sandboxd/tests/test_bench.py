"""The sums of the benchmark of apps, and what its page says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from overlays.sandboxd.bench import breakdown, left_behind, measure, memory
from overlays.sandboxd.bench.breakdown import Event
from overlays.sandboxd.bench.left_behind import Crowd
from overlays.sandboxd.bench.measure import Run
from overlays.sandboxd.bench.memory import Process
from overlays.sandboxd.bench.report import Found, report
from qemu.errors import MachineError

GUEST = Path(measure.__file__).parent / "guest"
STARTING, STARTED = breakdown._STARTING, breakdown._STARTED
ENDED = breakdown._ENDED


def test_what_a_command_took(tmp_path: Path) -> None:
    """The program that runs in the machine runs anywhere."""
    commands = {"sleeps": ["sleep", "0.3"], "fails": ["sh", "-c", "echo why >&2; exit 3"]}
    target = tmp_path / "found"
    # At rest this host never is, while other tests run.
    hurry = (GUEST / "rounds.py").read_text().replace("0.2, 90.0", "0.01, 0.05")
    program = tmp_path / "rounds.py"
    program.write_text(hurry)
    subprocess.run([sys.executable, program, target, json.dumps(commands)], check=True)
    found = json.loads(target.read_text())
    with pytest.raises(MachineError, match="fails ended with status 3: why"):
        measure.parse(target.read_text())
    run = measure.parse(json.dumps({"sleeps": found["sleeps"]}))["sleeps"]
    assert 0.3 <= run.seconds < 30 and run.busy >= 0


def line(seconds: float, unit: str, message: str) -> str:
    return json.dumps(
        {"__MONOTONIC_TIMESTAMP": str(int(seconds * 1e6)), "UNIT": unit, "MESSAGE_ID": message, "__CURSOR": "s=1"}
    )


def test_what_pid_1_has_said() -> None:
    text = "\n".join([line(1.5, "app-tau-1.service", STARTED), json.dumps({"__MONOTONIC_TIMESTAMP": "1"})])
    assert breakdown.parse(text) == [Event(1.5, "app-tau-1.service", STARTED)]


def said(begin: float, *, mounts: bool = True) -> list[Event]:
    app = "app-tau-1000-org.example.bench-1.service"
    files = [
        Event(begin + 3, "tau-app@1.service", STARTING),
        Event(begin + 5, "tau-app@1.service", STARTED),
    ]
    return [
        *(files if mounts else []),
        Event(begin + 6, app, STARTING),
        Event(begin + 8, app, STARTED),
        Event(begin + 9, app, ENDED),
    ]


def test_where_the_time_goes() -> None:
    runs = [Run(100.0, 110.0, 9.0), Run(200.0, 210.0, 9.0)]
    steps = breakdown.steps(runs, [*said(100), *said(200)])
    assert [seconds for _, seconds in steps] == [3, 2, 1, 2, 1, 1]
    assert steps[0][0].startswith("`tau` has asked")


def test_where_the_time_goes_when_the_files_are_mounted_already() -> None:
    """What does not come to pass is no step."""
    steps = breakdown.steps([Run(100.0, 110.0, 9.0)], said(100, mounts=False))
    assert [seconds for _, seconds in steps] == [6, 0, 2, 1, 1]
    assert steps[0][0].startswith("`tau` has asked") and not any("mounted" in words for words, _ in steps)


def test_another_starts_events_are_not_counted() -> None:
    steps = breakdown.steps([Run(100.0, 110.0, 9.0)], said(50))
    assert [seconds for _, seconds in steps] == [10]


LOOK = """10/smaps_rollup:Pss:               20480 kB
11/smaps_rollup:Pss:                1024 kB
12/smaps_rollup:Pss:                 512 kB
13/smaps_rollup:Pss:                9999 kB
14/smaps_rollup:Pss:                9999 kB
10/cgroup:0::/system.slice/sandboxd.service
11/cgroup:0::/system.slice/tau-helper.service
12/cgroup:0::/user.slice/user-1000.slice/session-1.scope
13/cgroup:0::/system.slice/tau-firewall.service
14/cgroup:0::/user.slice/user-1000.slice/session-1.scope
15/cgroup:0::/apps.slice/apps-1000.slice/app-tau-1000-org.example.bench-1.service
10/comm:sandboxd
11/comm:sh
12/comm:tau
13/comm:python3
14/comm:bash
"""


def test_whose_memory_counts() -> None:
    """Those of its units and the command; no other overlay's, no shell, and none that has ended meanwhile."""
    assert memory.parse(LOOK) == [
        Process("tau", "", 512 << 10),
        Process("sandboxd", "sandboxd.service", 20 << 20),
        Process("sh", "tau-helper.service", 1 << 20),
    ]


def crowd(**changed: int) -> Crowd:
    before = {"mounts": 20, "namespaces (net)": 3}
    during = {"mounts": 120, "namespaces (net)": 53}
    return Crowd(50, 50, "", 60.0, 20.0, before, during, before | changed)


def test_what_is_left() -> None:
    assert left_behind.parse("mounts: 20\nnamespaces (net): 3\n") == crowd().before
    with pytest.raises(MachineError, match="no count"):
        left_behind.parse("mounts: \n")
    assert crowd().left == {}
    assert crowd(mounts=22).left == {"mounts": 2}


def found(**left: int) -> Found:
    runs = {name: [Run(10.0, 11.0, 1.5)] * 3 for name in (*measure.BY_USER, *measure.BY_ROOT)}
    runs |= {measure.TAU: [Run(10.0, 12.0, 4.0)] * 3, measure.TAU_FIRST: [Run(10.0, 10.5, 1.0)] * 3}
    runs[measure.FLATPAK_FIRST] = runs[measure.FLATPAK]
    return Found(
        runs=runs,
        steps={
            measure.TAU: [("it has begun", 0.25), ("it has ended", 1.75)],
            measure.TAU_FIRST: [("it has begun", 0.25), ("its files are there", 1.0), ("it has ended", 1.5)],
        },
        idle=[Process("sandboxd", "sandboxd.service", 20 << 20)],
        one=[Process("sandboxd", "sandboxd.service", 20 << 20), Process("tau", "", 21 << 20)],
        crowd=crowd(**left),
        versions={"flatpak": "1.2.3"},
        memory=4096,
        accel="tcg",
    )


def test_the_page() -> None:
    text = report(found(), host="2 × X, load 9")
    for row in (
        "| `flatpak run` of the same program | 1.00 s (1.00–1.00) | 2.00 s (2.00–2.00) | 2.00 | ≤ 1.00 | missed |\n",
        "| the same, the first start since the login | 1.00 s (1.00–1.00) | 0.50 s (0.50–0.50) | 0.50 |  |  |\n",
        "at rest | 1.50 s (1.50–1.50) | 4.00 s (4.00–4.00) | 2.67 |  |  |\n",
        "| it has begun | 0.25 | 0.25 |\n| its files are there |  | 1.00 |\n| it has ended | 1.75 | 1.50 |\n",
        "| no app runs | 20 MiB | ≤ 40 MiB | reached |\n",
        "| one app runs, in the foreground | 41 MiB | ≤ 40 MiB | missed |\n",
        "| tau | the user's session | 21.0 |\n",
        "| mounts | 20 | 120 | 20 |\n",
    ):
        assert row in text
    for words in ("2 × X, load 9", "3 rounds", "4096 MiB", "tcg", "Flatpak 1.2.3", "Nothing was left behind."):
        assert words in text


def test_the_page_tells_what_is_left() -> None:
    assert "Left behind: mounts +2." in report(found(mounts=22), host="")
