"""Apps that attack, by the classes of docs/attacks.md that no other check covers.

What is refused inside is seen to succeed outside, by the same program, where the rest of the system has been told not
to stop it: a check can't pass because the attack is broken.
"""

import json
from collections.abc import Callable

import pytest

from overlays.sandboxd.conftest import APP, PROBES
from overlays.sandboxd.test_run import LEFT
from qemu.machine import Machine
from qemu.terminal import USER, Terminal

pytestmark = [pytest.mark.row(10), pytest.mark.destructive, pytest.mark.xdist_group("grants")]

#: Where the probes lie outside of apps.
OUTSIDE = "/var/tmp/probes"
AS_SECOND = "systemd-run --quiet --uid=second -p PAMName=login"


@pytest.fixture
def start(installed: Callable[..., str]) -> str:
    """An app that runs what it is told to; the command that starts it."""
    return installed("network")


def bring_probes(machine: Machine, *names: str) -> None:
    """Have programs that attack outside of the sandbox, too."""
    for name in names:
        content = (PROBES / f"{name}.py").read_bytes()
        assert machine.run(f"mkdir -p {OUTSIDE} && cat >{OUTSIDE}/{name}.py", stdin=content).status == 0


def going(said: dict[str, str]) -> set[str]:
    """What succeeded."""
    return {way for way, how in said.items() if how == "goes"}


def test_processes_of_others(user: Terminal, machine: Machine, start: str) -> None:
    """Another instance of the very same app, a program of the user's, and another user's app."""
    bring_probes(machine, "victim", "others")
    machine.succeed("sysctl -w kernel.yama.ptrace_scope=0; useradd --create-home second")
    machine.succeed(f"{AS_SECOND} --wait --pipe -- tau install --yes /var/tmp/app.raw", 120)
    machine.succeed(
        f"{AS_SECOND} -p StandardOutput=file:/tmp/second -- tau run {APP} python3 /app/bin/victim.py second", 60
    )
    victims = {"outside": f"python3 {OUTSIDE}/victim.py", "other": f"{start} python3 /app/bin/victim.py"}
    begin = "".join(f"{command} {name} </dev/null >/tmp/{name} & " for name, command in victims.items())
    user.succeed(f"{begin} until [ -s /tmp/outside ] && [ -s /tmp/other ]; do sleep 0.2; done", 120)
    machine.wait_until("test -s /tmp/second", 120)
    found = {}
    for name in ("outside", "other", "second"):
        process = machine.succeed(f"pgrep -f '^python3 [a-z/]*victim.py {name}$'")
        found[name] = f"{name}:{process}:{machine.succeed(f'cat /tmp/{name}')}"
    targets = " ".join(found.values())
    # An attempt at ptrace may stop what it reaches: the control comes last.
    user.succeed(f"{start} python3 /app/bin/others.py {targets} >/tmp/inside", 120)
    user.succeed(f"python3 {OUTSIDE}/others.py {found['outside']} >/tmp/control", 120)
    inside, control = (json.loads(machine.succeed(f"cat /tmp/{name}")) for name in ("inside", "control"))
    assert set(inside) == {"outside", "other", "second", "all"}
    for said in inside.values():
        assert going(said) == set(), inside
    for said in control.values():
        assert going(said) == set(said), f"no control: {said}"


def test_what_it_gets_hold_of_without_asking(user: Terminal, machine: Machine, start: str) -> None:
    """Descriptors, programs that run, folders that lead out, and what the kernel reads as root."""
    bring_probes(machine, "leaks", "handle")
    user.succeed("echo mine >~/secret; exec 8<~/secret 9>/tmp/w")
    handle = machine.succeed(f"python3 {OUTSIDE}/handle.py /home/{USER}/secret")
    words = f"/var/lib/tau /etc/sudoers.d /home/{USER}/secret {handle}"
    user.succeed(f"{start} python3 /app/bin/leaks.py {words} >/tmp/inside", 120)
    user.succeed(f"python3 {OUTSIDE}/leaks.py {words} >/tmp/control", 120)
    machine.succeed(f"HOME=/home/{USER} python3 {OUTSIDE}/leaks.py {words} >/tmp/root", 120)
    inside, control, root = (json.loads(machine.succeed(f"cat /tmp/{name}")) for name in ("inside", "control", "root"))
    assert inside["files"] == [0, 1, 2]
    # On one more it says how the app ended (tau.helper.run): nobody says that in its place.
    assert inside["files of the first process"][:3] == [0, 1, 2]
    assert inside["opened of the first process"] == ["Permission denied"]
    assert set(control["files"]) >= {0, 1, 2, 8, 9}, "no control"
    for what, ways in inside["places"].items():
        assert all(going(said) == set() for said in ways.values()), (what, ways)
    for what in ("its root", "above its folder", "above its runtime", "a thread's root"):
        assert all(going(said) == set(said) for said in control["places"][what].values()), f"no control: {what}"
    assert going(inside["kernel"]) == set()
    assert {"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/fs/cgroup/cgroup.procs"} <= going(
        root["kernel"]
    ), "no control"
    assert (inside["handle"] != "goes", root["handle"]) == (True, "goes")
    assert inside["programs"] == {"of the system": "Read-only file system", "of its own": "goes"}
    assert root["programs"]["of the system"] == "Read-only file system"


#: What listens in sessions that this image has not got: the display's servers, sound's, and the session's bus.
LISTENERS = """
import os, socket, time
run = os.environ["XDG_RUNTIME_DIR"]
os.makedirs("/tmp/.X11-unix", exist_ok=True)
kept = []
for name in ("\\0/tmp/.X11-unix/X0", "/tmp/.X11-unix/X0", f"{run}/wayland-0", f"{run}/pipewire-0", f"{run}/bus"):
    kept.append(socket.socket(socket.AF_UNIX))
    kept[-1].bind(name)
    kept[-1].listen()
print("listens", flush=True)
time.sleep(600)
"""
#: Each socket that somebody listens on, or takes datagrams at: its type, and its name.
SOCKETS = 'awk \'$8 != "" && ($4 == "00010000" || $5 == "0002") { print $5 + 0, $8 }\' /proc/net/unix | sort -u'
#: Programs that root has lent its powers to: by their owner, and by a capability (capability.h, CAP_NET_RAW).
LENT = """
mkdir -p /usr/local/bin && mount -t tmpfs -o mode=755 none /usr/local/bin && cd /usr/local/bin
install -m 4755 /usr/bin/id as-root; install -m 755 /usr/bin/cat with-power
python3 -c 'import os, struct; power = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
os.setxattr("with-power", "security.capability", power)'
"""
LEND = "/usr/local/bin/as-root; /usr/local/bin/with-power /proc/self/status | grep CapEff"


def test_doors_of_the_system(user: Terminal, machine: Machine, start: str) -> None:
    """Every socket that there is: buses, `systemd --user`, the journal, displays, the helper; and lent powers."""
    bring_probes(machine, "knocks")
    machine.run(f"cat >{OUTSIDE}/listeners.py", stdin=LISTENERS.encode())
    machine.succeed(LENT)
    user.succeed(
        f"python3 {OUTSIDE}/listeners.py >/tmp/listens & until [ -s /tmp/listens ]; do sleep 0.2; done; tau list", 60
    )
    machine.succeed(f"{SOCKETS} >/tmp/sockets")
    user.succeed(f"{start} python3 /app/bin/knocks.py </tmp/sockets >/tmp/inside", 120)
    user.succeed(f"python3 {OUTSIDE}/knocks.py </tmp/sockets >/tmp/control", 120)
    inside, control = (json.loads(machine.succeed(f"cat /tmp/{name}")) for name in ("inside", "control"))
    assert going(inside) == {"/run/tau/portal"}, inside
    run = f"/run/user/{machine.succeed(f'id -u {USER}')}"
    assert going(control) >= {
        *("/run/dbus/system_bus_socket", f"{run}/bus", f"{run}/systemd/private", "/run/systemd/journal/stdout"),
        *("/run/systemd/notify", "/run/systemd/journal/dev-log", "/run/systemd/userdb/io.systemd.DynamicUser"),
        *("@/tmp/.X11-unix/X0", "/tmp/.X11-unix/X0", f"{run}/wayland-0", f"{run}/pipewire-0"),
    }, "no control"
    assert control["/run/tau/helper"] == "Permission denied"
    # Nor does a program give it anything that root has lent its powers to.
    outside, shown = user.succeed(LEND, 60), user.succeed(f"{start} sh -c '{LEND}'", 120)
    assert "euid=0(root)" in outside and "CapEff:\t0000000000002000" in outside, "no control"
    assert "euid" not in shown and "uid=" in shown and "CapEff:\t0000000000000000" in shown, shown


#: A folder that its user could read if they got there: in one of root's, on the file system of their home.
KEPT = f"""
mkdir -m 700 /home/kept && install -d -o {USER} /home/kept/open /home/kept/open/inner
for each in open open/inner; do install -o {USER} /dev/null /home/kept/$each/of-root; done
"""


def test_names_that_change_while_root_attaches(
    terminal: Terminal, machine: Machine, installed: Callable[..., str]
) -> None:
    """An app that may change the home exchanges folders and links, while another instance is given them."""
    user, start, home = terminal, installed("filesystem:rw:home", "filesystem:ro"), f"/home/{USER}"
    bring_probes(machine, "swaps")
    machine.succeed(KEPT)
    # The last part of one path, and one amid another's.
    user.succeed(
        "mkdir -p ~/Music ~/Work/inner ~/.config; touch ~/Music/own ~/Work/inner/own;"
        " ln -s ../kept/open ~/Other; ln -s /home/kept/open ~/Away;"
        """ echo 'XDG_DOCUMENTS_DIR="$HOME/Work/inner"' >~/.config/user-dirs.dirs;"""
        f" for p in rw:home ro; do tau permissions grant {APP} filesystem:$p; done",
        60,
    )
    inside = "/run/tau/files/home"
    pairs = f"{inside}/Music {inside}/Other {inside}/Work {inside}/Away"
    watch = (
        "while [ ! -e /run/tau/files/home/stop ]; do ls /run/tau/files/music /run/tau/files/documents; sleep 0.5; done"
    )
    user.succeed(
        f"{start} python3 /app/bin/swaps.py {inside}/stop {pairs} </dev/null >/tmp/swaps 2>&1 &"
        f" {start} sh -c '{watch}' </dev/null >/tmp/seen 2>&1 & until grep -q own /tmp/seen; do sleep 0.2; done",
        120,
    )
    for name in ("own", "of-root"):
        machine.wait_until(f"ls {home}/Music | grep -x {name} && ls {home}/Work/inner | grep -x {name}", 60)
    toggle = " ".join(f"tau permissions {word} --keep {APP} filesystem:ro;" for word in ("deny", "grant"))
    user.succeed(f"for i in 1 2; do {toggle} done; {start} ls /run/tau/files/music >>/tmp/seen; true", 240)
    user.succeed("touch ~/stop; wait; rm ~/stop")
    assert int(machine.succeed("cat /tmp/swaps")) > 100, "no control"
    seen = machine.succeed("cat /tmp/seen").splitlines()
    assert "own" in seen and "of-root" not in seen
    assert "not attached" in machine.succeed("journalctl --unit='tau-files@*' --output=cat"), "no control"
    machine.wait_until(f'test -z "$({LEFT})"', 60)
