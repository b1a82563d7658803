"""The network, by consent: a program that knows nothing of it waits for its user, and goes on, or fails."""

import re
from collections.abc import Callable

import pytest

from overlays.sandboxd.conftest import APP, QUESTION, Bring, decisions
from qemu.capture import Capture
from qemu.machine import Machine
from qemu.net import SERVERS_V4, Sink
from qemu.servers import DohServer
from qemu.terminal import USER, Terminal

pytestmark = [pytest.mark.row(7), pytest.mark.destructive, pytest.mark.xdist_group("grants")]

SINK = SERVERS_V4["sink"]
PORT = 4711
#: What of the network must not be left when nothing runs.
LEFT = (
    "ls /run/tau/links; ls /sys/class/net | grep tau-; nft list map inet tau_apps decided | grep tau-;"
    " systemctl list-units --all --no-legend --plain 'tau-net@*' 'tau-link@*' 'tau-cut-*'"
)


@pytest.fixture
def start(installed: Callable[..., str]) -> str:
    """An app that declares the network and the local network, and runs what it is told to."""
    return installed("network", "lan")


def fetch(start: str, url: str) -> str:
    return f"{start} python3 /app/bin/fetch.py {url}"


def amid(user: Terminal, command: str, act: Callable[[], object], answer: str = "") -> str:
    """What a command shows that is asked about: `act` is done while the question stands, then it is answered."""
    mark = user.console.mark()
    user.console.send(f"{command}; echo 'done'-$?\n")
    user.expect(QUESTION, 120, mark)
    act()
    if answer:
        user.console.send(answer)
    user.expect(r"\ndone-\d+\n", 120, mark)
    return user.console.since(mark)


def test_a_name_is_asked_for_and_leaves_when_its_user_says_so(
    user: Terminal, machine: Machine, sample: Callable[[str], str], doh_server: DohServer, sink: Sink
) -> None:
    """Plain curl, which knows nothing of this."""
    user.succeed(f"tau install --yes {sample('org.tauos.fetch')}", 120)
    fetching = "tau run org.tauos.fetch http://fetch.example.org/"
    asked, arrived = doh_server.mark(), sink.mark()

    def nothing_has_left() -> None:
        assert "fetch.example.org." not in doh_server.names(asked)

    shown = amid(user, f"time -p {fetching}", nothing_has_left, "o\n")
    assert "org.tauos.fetch wants to use the internet: the address of fetch.example.org" in shown
    assert "\nsink\n" in shown.partition("Allowed: as long as it runs.")[2]
    assert "fetch.example.org." in doh_server.names(asked)
    assert [event for event in sink.connections(arrived) if event.port == 80]
    # Once is once: the next one is asked about, and this time the answer is no.
    status, shown = user.run(fetching, 120, {QUESTION: "n\n"})
    assert status == 6 and "Not allowed: as long as it runs." in shown
    assert "curl: (6) Could not resolve host: fetch.example.org" in shown
    assert decisions(user, "org.tauos.fetch") == {"network": "ask", "lan": "ask"}
    # Granted, and revoked while it is connected: a server of FTP speaks first, and this one has nothing to say.
    user.succeed("tau permissions grant org.tauos.fetch network", 60)
    user.succeed(f"{{ tau run org.tauos.fetch ftp://{SINK}:25/ </dev/null >/tmp/heard 2>&1 & }}", 60)
    sink.wait_for("tcp/25", since=arrived, timeout=60)
    shown = user.succeed("tau permissions deny org.tauos.fetch network; wait $!; echo curl-gave-$?", 120)
    assert "curl-gave-56" in shown and "Software caused connection abort" in machine.succeed("cat /tmp/heard")
    assert user.run(fetching, 120)[0] == 6
    user.succeed("tau remove org.tauos.fetch", 60)
    assert user.run(fetching, 60)[0] == 125


def test_an_address_waits_and_goes_on_or_is_refused(user: Terminal, start: str, capture: Capture, sink: Sink) -> None:
    arrived, mark = sink.mark(), capture.mark()
    no = user.run(fetch(start, f"http://{SINK}/"), 120, {QUESTION: "n\n"})[1]
    assert f"{APP} wants to use the internet: {SINK}, port 80 (TCP)" in no and "Connection refused> after" in no
    dismissed = user.run(fetch(start, f"http://{SINK}/"), 120, {QUESTION: "\n"})[1]
    assert "Not now." in dismissed and "Connection refused> after" in dismissed
    assert not [event for event in sink.connections(arrived) if event.port == 80]
    assert not [str(packet) for packet in capture.sent(mark) if (packet.destination, packet.port) == (SINK, 80)]
    yes = user.run(fetch(start, f"http://{SINK}/"), 120, {QUESTION: "a\n"})[1]
    assert re.search(r"\nsink after ", yes), yes
    assert decisions(user) == {"network": "allowed always", "lan": "ask"}
    # From now on nobody is asked, and nothing waits.
    shown = user.succeed(fetch(start, f"http://{SINK}/"), 120)
    assert "sink after" in shown and QUESTION not in shown
    history = user.succeed("tau permissions history", 60)
    assert [line.split("  ")[3] for line in history.splitlines() if APP in line] == [
        "denied as long as it runs",
        "allowed always",
    ]


def test_nobody_to_ask_is_a_no(user: Terminal, machine: Machine, start: str) -> None:
    """In the background, without a terminal of its own; and with an agent elsewhere that has one."""
    away = f"setsid --wait {fetch(start, f'http://{SINK}/')} </dev/null >/tmp/said 2>&1"
    user.succeed(away, 120)
    said = machine.succeed("cat /tmp/said")
    assert "Connection refused> after" in said
    assert f"{APP}: wanted to use the internet, and you could not be asked at this terminal" in said
    assert decisions(user)["network"] == "ask"
    mark = user.console.mark()
    user.console.send(f"(sleep 3; {away}) & tau agent\n")
    user.expect(QUESTION, 120, mark)
    assert f"{APP} wants to use the internet: {SINK}, port 80 (TCP)" in user.console.since(mark)
    user.console.send("s\n")
    machine.wait_until("grep -q '^sink after' /tmp/said", 60)
    user.console.send("\x03")
    user.run("true")
    assert decisions(user)["network"] == "allowed until you log out"
    user.log_out()
    machine.wait_until(f"! systemctl is-active user@$(id -u {USER}).service", 60)
    user.log_in()
    assert decisions(user)["network"] == "ask"


def test_keys_of_the_apps_and_other_words_are_no_answer(user: Terminal, start: str) -> None:
    """That keys count only once a question has stood for a moment is seen in test_prompt.py."""
    script = f"echo ready; read x; exec python3 /app/bin/fetch.py http://{SINK}/"
    # The first line is the app's; the others were on their way when the question came.
    answers = {
        "\nready\n": "a\na\na\na\n",
        QUESTION: "nonsense\n",
        r"nonsense\nThat is none of them[^\n]*\nYour answer: ": "n\n",
    }
    shown = user.run(f'{start} sh -c "{script}"', 120, answers)[1]
    assert shown.count(QUESTION) == 2 and "Connection refused" in shown


def test_decided_elsewhere_meanwhile(user: Terminal, machine: Machine, start: str) -> None:
    as_user = f"systemd-run --quiet --wait --pipe --uid={USER} -p PAMName=login -- tau"
    grant = f"{as_user} permissions grant {APP} network --session"
    shown = amid(user, fetch(start, f"http://{SINK}/"), lambda: machine.succeed(grant, 60))
    assert "(no longer asked: it was answered elsewhere, or two minutes are over)" in shown and "sink after" in shown


def test_what_is_revoked_ends(user: Terminal, machine: Machine, bring: Bring, start: str) -> None:
    """What is open, and what comes after, though it is of an older version; of one permission, not of the other."""
    for permission in ("network", "lan"):
        user.succeed(f"tau permissions grant {APP} {permission}", 60)
    run = f"{start} python3 /app/bin/hold.py"
    user.succeed(
        f"{run} {SINK} 25 >/tmp/far </dev/null 2>&1 & {run} 10.0.2.2 25 >/tmp/near </dev/null 2>&1 &"
        " until grep -q holds /tmp/far && grep -q holds /tmp/near; do sleep 0.2; done",
        120,
    )
    user.succeed(f"tau install --yes {bring('newer', version='1.3', permissions=['network', 'lan'])}", 120)
    user.succeed(f"tau permissions deny {APP} network; until grep -q refused /tmp/far; do sleep 0.2; done", 120)
    far = ["holds", "ended: Software caused connection abort", "refused: Connection refused"]
    assert machine.succeed("cat /tmp/far").splitlines() == far
    assert machine.succeed("cat /tmp/near").splitlines()[:1] == ["holds"]
    user.succeed("wait", 120)
    assert machine.succeed("cat /tmp/near") == "holds\nclosed by the other side"


def test_what_it_never_reaches(user: Terminal, machine: Machine, start: str, capture: Capture, sink: Sink) -> None:
    """The machine's own services, other apps, names past sandboxd: whatever is granted."""
    for permission in ("network", "lan"):
        user.succeed(f"tau permissions grant {APP} {permission}", 60)
    listen = f"systemd-socket-activate --listen={PORT} --inetd --accept /bin/echo open"
    machine.succeed(f"systemd-run --collect --unit=listener --property=Type=exec {listen}")
    serve = f"python3 -u -m http.server {PORT}"
    user.succeed(
        f"{start} {serve} </dev/null >/tmp/served 2>&1 & until grep -q Serving /tmp/served; do sleep 0.2; done", 60
    )
    own = machine.succeed("ip -4 -oneline address show scope global up | sed -nE 's,.* inet (10[0-9.]+)/.*,\\1,p'")
    mark, arrived = capture.mark(), sink.mark()
    doors = [f"{address}:{PORT}" for address in ("198.18.0.1", own, "127.0.0.1", "198.19.0.1")]
    controls = ["198.18.0.1:53", f"{SINK}:22"]
    shown = user.succeed(f"{start} python3 /app/bin/doors.py {' '.join(doors + controls)}; kill %1", 120)
    said = dict(line.split(" ", 1) for line in shown.splitlines() if line[:1].isdigit())
    assert [said.pop(door) for door in controls] == ["open"] * 2, "no control"
    for door in doors[1:3]:
        assert machine.succeed(f"timeout 5 bash -c 'cat </dev/tcp/{door.replace(':', '/')}'") == "open", "no control"
    assert set(said.values()) == {"Connection refused", "timed out"}, said
    assert [str(packet) for packet in capture.clear_text_dns(mark)] == []
    assert [str(query) for query in sink.queries(arrived)] == []


def test_what_it_does_not_declare(user: Terminal, bring: Bring) -> None:
    user.succeed(f"tau install --yes {bring('app', permissions=['network'])}", 120)
    status, shown = user.run(f"tau permissions grant {APP} lan", 60)
    assert status == 1 and f"{APP}: does not ask for lan" in shown
    shown = user.succeed(f"tau permissions grant {APP} network; {fetch(f'tau run {APP}', 'http://10.0.2.2/')}", 120)
    assert "Connection refused" in shown and QUESTION not in shown


def test_asked_at_installation(user: Terminal, bring: Bring) -> None:
    bundle = bring("app", permissions=["network", "lan"])
    answers = {r"Install it\? \[y/N\] ": "y\n", r"internet \[a/v/ask\] ": "a\n", r"network \[a/v/ask\] ": "v\n"}
    assert user.run(f"tau install {bundle}", 120, answers)[0] == 0
    assert decisions(user) == {"network": "allowed always", "lan": "denied always"}
    # What was decided goes with the app.
    user.succeed(f"tau remove {APP} && tau install --yes {bundle}", 120)
    assert decisions(user) == {"network": "ask", "lan": "ask"}


@pytest.mark.row(12)
def test_a_sandboxd_that_is_killed_loses_nothing(user: Terminal, machine: Machine, start: str) -> None:
    """Neither what was granted once, nor the question that stands; and grants nothing."""
    kill = "systemctl kill --signal=KILL sandboxd.service"
    mark = user.console.mark()
    script = f"python3 /app/bin/fetch.py http://{SINK}/; read x; python3 /app/bin/fetch.py http://once.example.org/"
    user.console.send(f"{start} sh -c '{script}'; echo 'done'-$?\n")
    user.expect(QUESTION, 120, mark)
    again = user.console.mark()
    machine.succeed(kill)
    user.expect(QUESTION, 120, again)
    user.console.send("o\n")
    user.expect("sink after", 120, again)
    machine.succeed(kill)
    user.console.send("\n")
    user.expect(r"\ndone-0\n", 120, again)
    shown = user.console.since(again)
    assert shown.count("sink after") == 2 and shown.count(QUESTION) == 1, shown


@pytest.mark.row(12)
@pytest.mark.parametrize("fault", ["corrupt", "of a later version", "full"])
def test_a_store_that_fails_grants_nothing(user: Terminal, machine: Machine, start: str, fault: str) -> None:
    user.succeed(f"tau permissions grant {APP} network", 60)
    store = "/var/lib/tau/permissions/store.sqlite"
    later = f"import sqlite3; sqlite3.connect('{store}').execute('PRAGMA user_version = 99')"
    faults = {
        "corrupt": f"head -c 4096 /dev/urandom >{store}",
        "of a later version": f'python3 -c "{later}"',
        "full": "dd if=/dev/zero of=/var/full bs=1M; dd if=/dev/zero of=/var/full2 bs=1k; sync",
    }
    machine.run(faults[fault], 120)
    machine.run("systemctl kill --signal=KILL sandboxd.service; sleep 1")
    status, shown = user.run(fetch(start, f"http://{SINK}/"), 120)
    assert status == 125 and f"{APP}: has no permissions: what was granted can't be read, or not be kept" in shown
    assert "sink" not in shown


def test_nothing_is_left_of_a_link(user: Terminal, machine: Machine, start: str) -> None:
    user.succeed(f"tau permissions grant {APP} network; for i in 1 2 3; do {start} true & done; wait", 180)
    user.run(f"{start} sh -c 'kill -KILL 1; kill -KILL $$'", 60)
    # And of one that never began, since what it needs could not be made.
    drop_in = "/run/systemd/system/tau-net@.service.d"
    machine.succeed(
        f"mkdir -p {drop_in}; printf '[Service]\\nExecStartPre=false\\n' >{drop_in}/x.conf; systemctl daemon-reload"
    )
    status, _ = user.run(f"{start} true", 60)
    machine.succeed(f"rm -r {drop_in}; systemctl daemon-reload")
    assert status == 125
    user.succeed(f"{start} true", 60)
    machine.wait_until(f'test -z "$({LEFT})"', 60)
