"""Running apps: each behaves like a command, and is held in what the kernel has to hold it with."""

import json
import re
from collections.abc import Callable

import pytest

from image.plan import Plan
from overlays.sandboxd.conftest import APP, PROBES, Bring
from qemu.machine import Machine
from qemu.terminal import USER, Terminal

pytestmark = [pytest.mark.row(10), pytest.mark.destructive, pytest.mark.xdist_group("apps")]

DATA = f"/home/{USER}/.local/share/tau/{APP}"
#: What must not be left when nothing runs.
LEFT = (
    "systemctl list-units --all --no-legend --plain 'app-tau-*' 'tau-files@*'; grep /run/tau/attached/ /proc/mounts;"
    " find /run/tau/attached /run/tau/pipes /run/tau/instances -mindepth 1; find /sys/fs/cgroup -name 'app-tau-*'"
)
#: And what stays of an app until its user has logged out, or it is removed: files that are mounted, and a profile.
KEPT = (
    "systemctl list-units --all --no-legend --plain 'tau-app@*' 'tau-kept@*'; grep /run/tau/apps/ /proc/mounts;"
    " grep '^tau-app-' /sys/kernel/security/apparmor/profiles; losetup --list --noheadings; dmsetup ls | grep -v ^root;"
    " find /run/tau/apps -mindepth 1"
)
EPERM, ENOSYS, EPROTONOSUPPORT, EAFNOSUPPORT = 1, 38, 93, 97


@pytest.fixture
def start(installed: Callable[..., str]) -> str:
    """An app that runs what it is told to; the command that starts it."""
    return installed("network")


def test_it_behaves_like_a_command(user: Terminal, start: str) -> None:
    lines = [
        f"{start} sh -c 'exit 7'; echo a $?",
        f"{start} sh -c 'kill -KILL $$'; echo b $?",
        f"echo in | {start} tr a-z A-Z | rev",
        f"{start} sh -c 'echo out; echo err >&2' >/tmp/o 2>/tmp/e; echo c $(cat /tmp/o) $(cat /tmp/e)",
        "printf 'one\\ntwo\\nthree\\n' >/tmp/l",
        f"while read x; do {start} sh -c 'read x; echo app $x'; echo got $x; done </tmp/l",
        f"{start} printf '<%s>\\n' 'a b' '' '%n $HOME' '-x' -- | tr -d '\\n'; echo",
        f"tau run --ephemeral {APP}",
        f"{start}.not; echo d $?; ls -d ~/.local/share/tau/{APP}*",
    ]
    shown = user.succeed("; ".join(lines), 240)
    for expected in (
        "a 7",
        "b 137",
        "NI",
        "c out err",
        "app two",
        "got one",
        "<a b><><%n $HOME><-x><-->",
        "hello from /app/bin/app",
        f"{APP}.not: is not installed; did you mean {APP}?",
        "d 125",
    ):
        assert expected in shown.splitlines(), shown
    assert f"{APP}.not\n" not in shown, "a folder was made for an app that is not there"


def test_a_terminal_of_its_own_and_signals(user: Terminal, start: str) -> None:
    """It is the app's own: to write to the user's, or to type there, it would have to reach that one."""
    shown = user.succeed(f"stty cols 91; {start} sh -c 'stty size; echo at-tty >/dev/tty; ls /dev/pts; true'", 120)
    assert "24 91" in shown and "at-tty" in shown and re.search(r"cannot open directory|Permission denied", shown)
    status, shown = user.run(
        f"{start} sh -c 'trap \"echo int; exit 5\" INT; echo ready; while :; do sleep 0.1; done'",
        120,
        {"\nready\n": "\x03"},
    )
    assert status == 5 and re.search(r"int\n", shown), shown
    script = 'trap "echo usr" USR1; echo ready; while :; do sleep 0.1; done'
    status, shown = user.run(
        f"{start} sh -c '{script}' >/tmp/o & p=$!; until grep -q ready /tmp/o; do sleep 0.1; done;"
        " tau ps; kill -USR1 $p; for i in $(seq 100); do grep usr /tmp/o && break; sleep 0.1; done;"
        " kill -TERM $p; { sleep 20; kill -KILL $p; } 2>/dev/null & wait $p",
        120,
    )
    assert (status, "usr" in shown.splitlines()) == (143, True)
    assert re.search(rf"^{APP}  [0-9a-f]{{8}}  \d processes ", shown, re.MULTILINE)


def test_what_an_app_is_and_sees(user: Terminal, machine: Machine, start: str) -> None:
    """Beside what the same program is and sees outside of it."""
    machine.run("cat >/var/tmp/sees.py", stdin=(PROBES / "sees.py").read_bytes())
    user.succeed(
        f"echo mine >~/secret; python3 /var/tmp/sees.py >/tmp/outside; {start} python3 /app/bin/sees.py >/tmp/inside",
        120,
    )
    inside, outside = (json.loads(machine.succeed(f"cat /tmp/{name}")) for name in ("inside", "outside"))
    uid = machine.succeed(f"id -u {USER}")
    assert all(inside["namespaces"][name] != outside["namespaces"][name] for name in inside["namespaces"])
    assert inside["uid_map"] == ["0", "0", "1", uid, uid, "1"]
    assert inside["status"] == {
        "Uid": "\t".join([uid] * 4),
        "Gid": "\t".join([uid] * 4),
        "CapEff": "0" * 16,
        "CapBnd": "0" * 16,
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }
    assert re.fullmatch(rf"tau-app-{uid}-{APP}-[0-9a-f]{{64}} \(enforce\)", inside["label"])
    assert outside["label"] == "unconfined" and outside["status"]["CapBnd"] != "0" * 16
    # The first, the one that hands signals on, and the probe itself.
    assert len(inside["processes"]) == 3 < len(outside["processes"])
    assert inside["files"] == ["/dev/pts/0", "/dev/pts/0", "pipe"] or "pipe" in inside["files"]
    assert set(inside["environment"]) <= {
        *("HOME", "INVOCATION_ID", "LANG", "LC_CTYPE", "LOGNAME", "PATH", "PWD", "SHELL", "SYSTEMD_EXEC_PID"),
        *("MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE", "TAU_APP", "TERM", "USER"),
    }
    assert inside["passwd"] == ["root", "user", "nobody"] and USER in outside["passwd"]
    places = inside["places"]
    assert places["/app"] == ["bin", "manifest.tau"] and places["/home"] == ["user"]
    assert places["/tmp"] == places["/var/tmp"] == places["/dev/shm"] == []
    assert places["/dev/pts"] == places["/sys"] == "Permission denied"
    assert set(places["/run"]) <= {"systemd", "tau", "user"} and places["/var"] == ["tmp"]
    assert not {"shadow", "machine-id", "hostname", "sudoers"} & set(places["/etc"])
    opened = [path for path, how in inside["tried"].items() if how == "open"]
    assert opened == []
    assert {"/etc/machine-id", f"/home/{USER}/secret", "/proc/cmdline"} <= {
        path for path, how in outside["tried"].items() if how == "open"
    }, "no control"
    assert {path for path, how in inside["written"].items() if how == "open"} == {
        "/home/user/x",
        "/tmp/x",
        "/dev/shm/x",
    }


def test_programs_of_the_bundle_are_the_apps_alone(user: Terminal, machine: Machine, bring: Bring) -> None:
    """Whatever they are called: what starts the app goes through many programs, some of them root's."""
    trace = '#!/bin/sh\nid -u >"/home/user/${0##*/}"\n'
    names = ("chmod", "dash", "dumb-init", "env", "setpriv", "setsid", "sh", "systemctl", "true")
    user.succeed(f"tau install --yes {bring('app', programs=dict.fromkeys(names, trace))}", 120)
    user.succeed(f"tau run {APP} echo; tau run {APP} echo", 120)
    assert machine.succeed(f"ls {DATA}") == ""
    user.succeed(f"tau run {APP} chmod", 120)
    assert machine.succeed(f"cat {DATA}/chmod") == machine.succeed(f"id -u {USER}"), "no control"


def test_calls_that_an_attack_begins_with(user: Terminal, machine: Machine, plan: Plan, start: str) -> None:
    machine.run("cat >/var/tmp/calls.py", stdin=(PROBES / "calls.py").read_bytes())
    user.succeed(f"python3 /var/tmp/calls.py >/tmp/outside; {start} python3 /app/bin/calls.py >/tmp/inside", 180)
    inside, outside = (json.loads(machine.succeed(f"cat /tmp/{name}")) for name in ("inside", "outside"))
    expected: dict[str, object] = dict.fromkeys(inside, EPERM)
    expected |= {"clone3": ENOSYS, "io_uring": ENOSYS, "socket-netlink-uevent": EPROTONOSUPPORT}
    expected |= dict.fromkeys(("socket-alg", "socket-packet", "socket-vsock"), EAFNOSUPPORT)
    # The app declares the network: it may have such sockets, and nothing that they reach.
    expected |= dict.fromkeys(("socket-inet", "socket-netlink", "socket-unix"), 0)
    if plan.arch == "x86_64":
        expected["x32"] = "killed"
    assert inside == expected
    # What the kernel has for an ordinary program.
    for name in ("add_key", "keyctl", "personality", "set-uid-file", "process_vm_readv", "fscrypt-remove-key"):
        assert outside[name] != EPERM, f"no control: {name}"
    assert outside["clone3"] != ENOSYS


def test_its_data(user: Terminal, machine: Machine, start: str) -> None:
    """In the user's encrypted home; an ephemeral start leaves nothing, a removal takes nothing of the user's."""
    user.succeed(f"{start} sh -c 'echo kept >file; pwd' && tau run --ephemeral {APP} sh -c 'ls; echo gone >gone'", 120)
    assert machine.succeed(f"ls {DATA}; cat {DATA}/file; stat -c '%a %U' {DATA}") == f"file\nkept\n700 {USER}"
    assert "kept" in user.succeed(f"{start} cat file", 120)
    user.succeed(f"tau remove {APP}", 120)
    assert machine.succeed(f"cat {DATA}/file") == "kept"


#: `tau` with its own look at the folder left out.
UNCHECKED = """
import sys
sys.path.insert(0, "/usr/lib/tau/python")
from tau import cli, command_run
command_run._make_data = lambda app: 1
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("target", ["/var/lib/other", "../../../../../var/lib/other"])
def test_data_that_lead_elsewhere(user: Terminal, machine: Machine, start: str, target: str) -> None:
    """A folder that everybody may read, in one that nobody may enter: root mounts, and must not be led there."""
    machine.succeed("mkdir -p -m 700 /var/lib/private-to-root && install -d -m 777 /var/lib/private-to-root/open")
    machine.succeed("ln -s private-to-root/open /var/lib/other")
    # Not after the first start either, from which they are mounted.
    user.succeed(f"{start} true; mv {DATA} ~/before && ln -s {target} {DATA}", 120)
    status, shown = user.run(f"{start} touch here", 120)
    assert status == 125 and f"{APP}: its data can't lie in {DATA}: {DATA} is a link\n" in shown
    # So says the user's own program. Whoever starts another in its place gets no further.
    machine.run("cat >/var/tmp/unchecked.py", stdin=UNCHECKED.encode())
    status, shown = user.run(f"python3 -I /var/tmp/unchecked.py run {APP} touch here", 120)
    assert status == 125 and f"{APP}: could not be started; `tau log` may say why\n" in shown
    assert machine.succeed(f"ls /var/lib/private-to-root/open; ls /home/{USER}/before") == ""
    assert machine.succeed(f"{LEFT}; {KEPT}; true") == ""


def test_it_takes_no_more_than_its_share(user: Terminal, start: str) -> None:
    shown = user.succeed(f"{start} python3 /app/bin/forks.py", 240)
    found = re.search(r"stopped (\d+) Resource temporarily unavailable", shown)
    assert found and int(found[1]) < 1024, shown


def test_nothing_is_left(user: Terminal, machine: Machine, start: str) -> None:
    user.succeed(
        f"{start} true; {start} sh -c 'sleep 99 & sleep 99 & exit 0'; for i in 1 2 3; do {start} true & done; wait", 180
    )
    user.run(f"{start} sh -c 'sleep 99 & kill -KILL 1; kill -KILL $$'", 60)
    machine.wait_until(f'test -z "$({LEFT})"', 60)
    # Killed from outside, as the kernel does that is out of memory.
    user.run(f"{start} sleep 99 & until pgrep -x sleep; do :; done; pkill -KILL -x sleep; wait", 60)
    machine.wait_until(f'test -z "$({LEFT})"', 60)


def test_what_is_kept_of_an_app(user: Terminal, machine: Machine, bring: Bring) -> None:
    """Its files stay mounted for its next start: one set, of the version that is installed, with the data of now."""
    mounted, loaded = "grep -c ' erofs ' /proc/mounts", "journalctl -qu 'tau-app@*' | grep -c Finished"
    before = int(machine.succeed(mounted))
    user.succeed(f"tau install --yes {bring('app', version='1.0')}; tau run {APP} sh -c 'echo one >file'", 120)
    user.succeed(f"tau run {APP} true; tau run {APP} true", 120)
    assert machine.succeed(loaded) == "1" and int(machine.succeed(mounted)) == before + 1
    # Its user puts back what they have saved, say.
    user.succeed(f"cp -a {DATA} ~/saved; mv {DATA} ~/old; mv ~/saved {DATA}; echo two >{DATA}/file", 60)
    assert "two" in user.succeed(f"tau run {APP} sh -c 'cat file; echo three >file'", 120)
    assert machine.succeed(f"cat {DATA}/file /home/{USER}/old/file") == "three\none"
    # An update: what runs goes on as it was, and of the version before nothing is kept when it has ended.
    newer = bring("newer", version="1.1", programs={"new": "#!/bin/sh\necho newer\n"})
    user.succeed(
        f"tau run --background {APP} sleep 999; tau install --yes {newer}; tau run {APP} new | grep newer", 120
    )
    assert int(machine.succeed(mounted)) == before + 2
    user.succeed(f"tau ps | grep {APP}; tau stop {APP}", 60)
    machine.wait_until(f"[ $({mounted}) = {before + 1} ]", 60)
    user.succeed(f"tau remove {APP}", 60)
    assert machine.succeed(f"{KEPT}; true") == ""


def test_a_removal_ends_what_runs(user: Terminal, machine: Machine, start: str) -> None:
    status, shown = user.run(
        f"{start} sleep 99 & until tau ps | grep {APP}; do sleep 0.2; done; tau remove {APP}; wait $!", 240
    )
    assert "is removed" in shown and status != 0
    machine.wait_until(f'test -z "$({LEFT}; {KEPT})"', 60)


@pytest.mark.row(5)
def test_a_logout_ends_it_and_locks_the_home(user: Terminal, machine: Machine, start: str) -> None:
    user.succeed(
        f"(setsid nohup {start} sleep 999 >/dev/null 2>&1 &); until tau ps | grep {APP}; do sleep 0.2; done", 120
    )
    user.log_out()
    machine.wait_until(f"fscrypt status /home/{USER} | grep -q 'Unlocked: No'", 90)
    assert machine.succeed(f"{LEFT}; {KEPT}; true") == ""
    assert machine.fail(f"cat {DATA}/file 2>&1; ls {DATA}")


@pytest.mark.row(12)
def test_what_runs_goes_on_when_sandboxd_is_killed(user: Terminal, machine: Machine, start: str) -> None:
    """And so it does without the helper, whose process waits for its end: that it is out of sight is told."""
    user.succeed(f"{start} sh -c 'read x; exit 4' >/tmp/o 2>&1 & until tau ps | grep {APP}; do sleep 0.2; done", 120)
    first = machine.succeed("pgrep -x dumb-init")
    machine.succeed("systemctl kill --signal=KILL sandboxd.service")
    assert machine.succeed("pgrep -x dumb-init") == first
    assert "(enforce)" in machine.succeed(f"cat /proc/{first}/attr/current")
    user.succeed(f"{start} true; tau list", 120)
    status, _ = user.run(f"kill -TERM {first}; wait %1", 60)
    assert status == 143
    # Without a terminal: with one it would get a hang-up.
    user.succeed(f"{start} sleep 99 </dev/null >/tmp/o 2>&1 & until tau ps | grep {APP}; do sleep 0.2; done", 120)
    machine.succeed("systemctl kill --signal=KILL tau-helper.service")
    assert user.run("wait %1", 60)[0] == 125
    assert f"{APP}: is out of sight: what waited for its end has been ended" in machine.succeed("cat /tmp/o")
    assert re.search(rf"^{APP}  [0-9a-f]{{8}}  3 processes ", user.succeed("tau ps", 60), re.MULTILINE)


@pytest.mark.row(12)
def test_a_sandboxd_that_hangs_is_replaced(user: Terminal, machine: Machine) -> None:
    user.succeed("tau list", 60)
    first = machine.succeed("systemctl show -P MainPID sandboxd")
    machine.succeed(f"kill -STOP {first}")
    # What it says of its last end is there until the next start alone, which nobody has to wait for.
    machine.wait_until("journalctl -qu sandboxd | grep -q 'Watchdog timeout'", 120)
    user.succeed("tau list", 60)
    assert machine.succeed("systemctl show -P MainPID sandboxd") not in (first, "0")
    assert machine.run("journalctl -qu tau-helper | grep Traceback").status == 1


def test_two_users_of_one_app(user: Terminal, machine: Machine, start: str) -> None:
    """Each with their own data, from one and the same bundle, at the same time."""
    machine.succeed("useradd --create-home second")
    as_second = "systemd-run --quiet --wait --pipe --uid=second -p PAMName=login -- tau"
    machine.succeed(f"{as_second} install --yes /var/tmp/app.raw", 120)
    user.succeed(
        f"{start} sh -c 'echo the first >whose'; {start} sleep 99 & until tau ps | grep {APP}; do sleep 0.2; done", 120
    )
    said = machine.succeed(f"{as_second} run {APP} sh -c 'ls; id -u; echo the second >whose'; {as_second} ps", 120)
    assert said == machine.succeed("id -u second")
    assert machine.succeed(f"cat {DATA}/whose {DATA.replace(USER, 'second')}/whose") == "the first\nthe second"
    machine.succeed(f"{as_second} remove {APP}", 120)
    assert "the first" in user.succeed(f"{start} cat whose; kill %1", 120)
