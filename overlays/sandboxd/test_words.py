"""Attacks by words: names, manifests, settings of a shell, messages of the bus; and asking too much, or too often."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from image.plan import Plan
from overlays.sandboxd.author.tools import Tools
from overlays.sandboxd.conftest import APP, QUESTION, Bring, decisions
from overlays.sandboxd.test_attacks import AS_SECOND
from qemu.machine import Machine
from qemu.terminal import Terminal

pytestmark = [pytest.mark.row(11), pytest.mark.destructive, pytest.mark.xdist_group("apps")]


#: What a shell can be made to set, and programs heed: loaders, interpreters, shells, the buses, systemd's own.
SETTINGS = {
    **dict.fromkeys(("LD_PRELOAD", "LD_AUDIT"), "/tmp/evil.so"),
    **dict.fromkeys(("LD_LIBRARY_PATH", "GCONV_PATH", "LOCPATH", "PYTHONPATH", "PERL5LIB", "TMPDIR"), "/tmp/evil"),
    **dict.fromkeys(("BASH_ENV", "ENV", "PYTHONSTARTUP"), "/tmp/evil.sh"),
    **dict.fromkeys(("NOTIFY_SOCKET", "SSH_AUTH_SOCK", "LISTEN_FDNAMES"), "/run/evil"),
    **dict.fromkeys(("DBUS_SESSION_BUS_ADDRESS", "DISPLAY"), "unix:path=/tmp/evil"),
    **dict.fromkeys(("LISTEN_FDS", "LISTEN_PID", "PYTHONINSPECT", "SYSTEMD_SECCOMP"), "1"),
    **dict.fromkeys(("PS4", "BASH_FUNC_env%%"), "() { echo evil; }"),
    **dict.fromkeys(("IFS", "TAU_PORTAL"), "0"),
}
NAMES = ("-x", '%n $HOME "q" ;id', "esc\x1b[2J\x1b]0;t\x07", "line\nfeed", "\u202eeman")


#: As a word for a program's text.
ENVIRONMENT = "'import json, os; print(json.dumps(dict(os.environ)))'"


def _in_shell(text: str) -> str:
    """A word for bash, in ASCII and in one line, whatever it holds: it is typed at a terminal."""
    return "$'" + "".join(f"\\x{byte:02x}" for byte in text.encode()) + "'"


def test_names_and_settings_are_nothing_else(terminal: Terminal, installed: Callable[..., str]) -> None:
    """What an app calls its folders, and what a shell has set, is no option, specifier or terminal's sequence."""
    user, start = terminal, installed("filesystem:rw:home", "filesystem:rw:picked")
    for permission in ("home", "picked"):
        user.succeed(f"tau permissions grant {APP} filesystem:rw:{permission}", 60)
    # The app makes them, and its user is to be misled by them.
    make = "import os, sys\nfor name in eval(sys.argv[1]): os.makedirs(f'/run/tau/files/home/Work/{name}/in')"
    user.succeed(f"mkdir ~/Work; {start} python3 -c {shlex.quote(make)} {shlex.quote(ascii(NAMES))}", 120)
    for name in NAMES[2:4]:
        mark = user.console.mark()
        status, shown = user.run(f"cd ~/Work; tau permissions pick {APP} {_in_shell(name)}", 60)
        assert status == 1 and "has a name that can't be written down" in shown, shown
        status, shown = user.run(f"cd {_in_shell(name)} && tau run {_in_shell(name)}; cd ~", 60)
        assert status == 0 and "is not an app's id" in shown, shown
        # As it came: what is shown of a console is without what draws. The shell draws, too, and nothing of this.
        drawn = [each for each in (b"\x1b[2J", b"\x1b]0;") if each in user.console.raw_since(mark)]
        assert drawn == []
    for name in (NAMES[0], NAMES[1], NAMES[4]):
        shown = user.succeed(
            f"cd ~/Work; tau permissions pick {APP} ./{_in_shell(name)} && tau permissions list"
            f" && cd ./{_in_shell(name)} && {start} sh -c 'pwd; ls'; cd ~",
            120,
        )
        assert shown.splitlines()[-2:] == ["/run/tau/files/picked", "in"] and "\u202e" not in shown, shown
    # An identifier is a name in each place; so are arguments that look like systemd-run's own.
    for name in ("../../../../etc", "-x", f"{APP}/../x", "org.example.%n", f"{APP};id", "org.example.app\u200b"):
        assert user.run(f"tau run -- {_in_shell(name)}", 60)[0] == 125
    hostile = " ".join(_in_shell(f"{name}={value}") for name, value in SETTINGS.items())
    set_there = user.succeed(f"env {hostile} /usr/bin/env -u LD_PRELOAD -u LD_AUDIT python3 -IS -c {ENVIRONMENT}", 60)
    assert {*SETTINGS} - {"LD_PRELOAD", "LD_AUDIT"} <= set(json.loads(set_there.splitlines()[-1])), "no control"
    shown = user.succeed(f"env {hostile} {start} python3 -IS -c {ENVIRONMENT} 2>/dev/null", 120)
    said = json.loads(shown.splitlines()[-1])
    assert not {*SETTINGS} - {"TAU_PORTAL"} & set(said) and said["TAU_PORTAL"] == "3", said
    assert "evil" not in shown


#: `tau pack` with its own look at the manifest left out: of another one it is told.
UNCHECKED_PACK = """
import sys
from pathlib import Path
from tau.manifest import check
from tau.pack import Signer, pack
folder, good, key, certificate, architecture, target = sys.argv[1:]
pack(Path(folder), check(good.encode()).manifest, Signer(Path(key), Path(certificate)), architecture, Path(target))
"""


def test_manifests_that_no_honest_author_packs(
    user: Terminal, machine: Machine, tools: Tools, signer: tuple[Path, Path], app: Path, plan: Plan
) -> None:
    """What is not a manifest is refused where it counts, and shown in one line that a terminal does not obey."""

    def attempt(manifest: bytes) -> tuple[int, str]:
        (app / "manifest.tau").write_bytes(manifest)
        target = app.parent / "hostile.raw"
        good = json.dumps({"id": APP, "permissions": []})
        words = [str(word) for word in (app, good, *signer, plan.arch, target)]
        done = tools.run("python3", "-c", UNCHECKED_PACK, *words)
        assert done.returncode == 0, done.stderr
        assert machine.run("cat >/var/tmp/hostile.raw", stdin=target.read_bytes()).status == 0
        return user.run("tau install --yes /var/tmp/hostile.raw", 120)

    def of(**keys: object) -> bytes:
        return json.dumps({"id": APP, "permissions": [], **keys}).encode()

    for manifest, said in (
        (of(name="\x1b[2J\x1b[31mTau OS asks:"), "holds a character that can't be shown"),
        (of(id="org.example.%n/../../x"), "id: is "),
        (of(command=["../../usr/bin/env"]), "command[0]: is "),
        # What one program reads to its end, and another to the first NUL (CVE-2021-43860 of flatpak).
        (of() + b"\0" + of(permissions=["filesystem:rw:home"]), "manifest.tau:1:"),
        (of()[:-1] + b', "permissions": ["filesystem:rw:home"]}', "permissions: is there twice"),
    ):
        mark = user.console.mark()
        status, shown = attempt(manifest)
        assert status == 1 and said in shown and b"\x1b[31m" not in user.console.raw_since(mark), shown
        assert len(shown.splitlines()) == 1
    assert "org." not in user.succeed("tau list", 60)
    assert attempt(of())[0] == 0, "no control"
    assert machine.succeed("ls /var/lib/tau/sandbox/staged") == ""


def test_nobody_speaks_for_sandboxd_or_for_the_bus(user: Terminal, machine: Machine, bring: Bring) -> None:
    """A name of the bus is who the bus gives it to; that somebody has gone is the bus's word, not another user's."""
    machine.succeed("useradd --create-home second")
    bus = "org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus"
    take = f"busctl --system call {bus} RequestName su org.tauos.Sandbox1 4"
    user.succeed("tau list", 60)
    as_sandboxd = "setpriv --reuid=sandboxd --regid=sandboxd --clear-groups"
    assert machine.succeed(f"{as_sandboxd} {take}", 60) == "u 3", "no control: it may have it, and it is taken"
    status, shown = user.run(take, 60)
    assert status == 1 and "Access denied" in shown, shown
    mark = user.console.mark()
    user.console.send(f"tau install {bring('app')}; echo 'done'-$?\n")
    user.expect(r"Install it\? \[y/N\] ", 120, mark)
    (caller,) = machine.succeed("busctl list --unique --no-legend | awk '$3 == \"tau\" { print $1 }'").splitlines()
    (number,) = {path.partition(".")[0] for path in machine.succeed("ls /var/lib/tau/sandbox/staged").split()}
    forged = "busctl emit --destination=org.tauos.Sandbox1 /org/freedesktop/DBus org.freedesktop.DBus NameOwnerChanged"
    ours = "busctl call org.tauos.Sandbox1 /org/tauos/Sandbox1 org.tauos.Sandbox1"
    machine.succeed(f"{AS_SECOND} --wait --pipe -- {forged} sss {caller} {caller} ''", 60)
    for method in ("Cancel", "Confirm"):
        said = machine.fail(f"{AS_SECOND} --wait --pipe -- {ours} {method} t {int(number, 16)} 2>&1", 60)
        assert "nothing of yours waits under that number" in said
    mark = user.console.mark()
    user.console.send("y\n")
    user.expect(r"\[a/v/ask\] ", 120, mark)
    user.console.send("\n")
    user.expect(r"\ndone-0\n", 120, mark)
    assert f"{APP}  1.2  network" in user.succeed("tau list", 60)


def test_an_update_that_asks_for_more_has_to_ask(user: Terminal, machine: Machine, bring: Bring) -> None:
    """What was granted stays, and nothing else comes with it; many that ask at once put one question."""
    few, more = "filesystem:ro:documents", "filesystem:rw:home"
    user.succeed(f"tau install --yes {bring('app', permissions=[few])}; mkdir ~/Documents; touch ~/own ~/Documents/own")
    user.succeed(f"tau permissions grant {APP} {few}", 60)
    old = f"tau run {APP} sh -c 'read x; tau request {more}; read x'"
    user.succeed(
        f"mkfifo /tmp/go; {old} </tmp/go >/tmp/old 2>&1 & exec 9>/tmp/go;"
        f" until tau ps | grep {APP}; do sleep 0.2; done",
        120,
    )
    shown = user.succeed(f"tau install --yes {bring('more', version='2', permissions=[few, more])}", 120)
    assert re.search(r"home folder, without hidden files\s+\(new\)\n", shown), shown
    assert decisions(user) == {few: "allowed always", more: "ask"}
    # Of the version that runs, nothing has changed.
    user.succeed("echo >&9; until [ -s /tmp/old ]; do sleep 0.2; done", 60)
    assert f"{more}: is not in this app's manifest" in machine.succeed("cat /tmp/old")
    look = f"tau run {APP} sh -c 'ls /run/tau/files/home /run/tau/files/documents'"
    many = " ".join(f"setsid --wait {look} </dev/null >/tmp/said{each} 2>&1 &" for each in range(5))
    mark = user.console.mark()
    user.console.send(f"{{ sleep 3; {many} wait; }} & tau agent\n")
    user.expect(QUESTION, 120, mark)
    user.console.send("v\n")
    machine.wait_until("[ $(grep -lx own /tmp/said* | wc -l) = 5 ]", 120)
    user.console.send("\x03")
    user.run("exec 9>&-; wait", 60)
    assert user.console.since(mark).count("Tau OS asks:") == 1
    for each in range(5):
        said = machine.succeed(f"cat /tmp/said{each}")
        assert said.split() == ["/run/tau/files/documents:", "own", "/run/tau/files/home:"], said
    assert decisions(user) == {few: "allowed always", more: "denied always"}
