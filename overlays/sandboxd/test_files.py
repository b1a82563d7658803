"""Files and devices, by consent: asked for at the start, attached while they are allowed, and taken away at once."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from overlays.sandboxd.conftest import APP, PROBES, QUESTION, Bring, decisions
from overlays.sandboxd.test_run import LEFT
from qemu.machine import Machine
from qemu.terminal import USER, Terminal

pytestmark = [pytest.mark.row(7), pytest.mark.destructive, pytest.mark.xdist_group("grants")]

HOME, FILES = f"/home/{USER}", "/run/tau/files"
DENIED, ABSENT = "Permission denied", "No such file or directory"
#: What a folder of the user's holds, and what is hidden there.
FILL = (
    "mkdir -p {0}/sub {0}/.ssh {0}/bin; cp /usr/bin/true {0}/program;"
    " for f in plain .secret sub/plain sub/.secret .ssh/id; do echo $f >{0}/$f; done"
)


#: Sockets that others listen on, as ssh and gpg-agent do.
LISTEN = """
import os, socket, sys
kept = []
for folder in sys.argv[1:]:
    for name, kind in (("stream", socket.SOCK_STREAM), ("datagrams", socket.SOCK_DGRAM)):
        kept.append(socket.socket(socket.AF_UNIX, kind))
        kept[-1].bind(f"{folder}/.ssh/{name}")
        if kind == socket.SOCK_STREAM:
            kept[-1].listen()
print("listens", flush=True)
sys.stdin.read()
"""


def asked(*answers: tuple[str, str]) -> dict[str, str]:
    """What is typed when it is asked whether the app may: the end of the question, and the line."""
    ends = ((what.replace(" ", r"\s+"), line) for what, line in answers)
    return {rf"wants to [^:]*?{what}\n(?s:.*?){QUESTION}": f"{line}\n" for what, line in ends}


@contextmanager
def keeping(user: Terminal, machine: Machine, start: str, path: str) -> Iterator[Callable[[], dict[str, str]]]:
    """An app that keeps a file open; each call has it say what still goes."""
    user.succeed(
        f"rm -f /tmp/go; mkfifo /tmp/go; {start} python3 /app/bin/keeps.py {path} </tmp/go >/tmp/said 2>&1 &"
        " exec 9>/tmp/go; until grep -q holds /tmp/said; do sleep 0.2; done",
        120,
    )
    lines = 1

    def said() -> dict[str, str]:
        nonlocal lines
        lines += 1
        user.succeed(f"echo >&9; until [ $(wc -l </tmp/said) -ge {lines} ]; do sleep 0.2; done", 60)
        return dict(json.loads(machine.succeed("tail -n 1 /tmp/said")))

    yield said
    user.run("exec 9>&-; wait", 60)


def test_folders_are_asked_for_at_the_start(user: Terminal, machine: Machine, bring: Bring) -> None:
    """An unmodified program finds them, by the names that its user gives it, in a folder of theirs too."""
    user.succeed(f"tau install --yes {bring('app', permissions=['filesystem:ro', 'filesystem:rw:downloads'])}", 120)
    user.succeed("mkdir ~/Texte ~/Music ~/Downloads ~/.config; echo song >~/Music/song; echo own >~/own")
    user.succeed("""echo words >~/Texte/words; echo 'XDG_DOCUMENTS_DIR="$HOME/Texte"' >~/.config/user-dirs.dirs""")
    no = asked(("Videos folders", "n"), ("Downloads folder", ""))
    shown = user.run(f"tau run {APP} sh -c 'ls {FILES}/*/'", 120, no)[1]
    assert "Not allowed: as long as it runs." in shown and "Not now." in shown
    assert "words" not in shown and "song" not in shown and f"{FILES}/documents/:" in shown
    yes = asked(("Videos folders", "o"), ("Downloads folder", "a"))
    script = f"cat words $1 {FILES}/music/song; cat {HOME}/own; echo x >words; echo new >{FILES}/downloads/new; pwd"
    command = f"cd ~/Texte; tau run {APP} sh -c '{script}' sh ~/Music/song"
    shown = user.run(command, 120, yes)[1].partition("Allowed: always.\n")[2]
    assert [line for line in shown.splitlines() if line in ("words", "song")] == ["words", "song", "song"]
    assert f"{HOME}/own: {ABSENT}" in shown and "cannot create words: Read-only file system" in shown
    assert shown.splitlines()[-1] == f"{FILES}/documents"
    assert machine.succeed(f"cat {HOME}/Downloads/new; stat -c %U {HOME}/Downloads/new") == f"new\n{USER}"
    assert decisions(user) == {"filesystem:ro": "ask", "filesystem:rw:downloads": "allowed always"}


def test_hidden_files_stay_out_of_reach(user: Terminal, machine: Machine, bring: Bring) -> None:
    """Of the whole home, to be written to: what starts by itself, keys, and what its shell takes for programs."""
    user.succeed(f"tau install --yes {bring('app', permissions=['filesystem:rw:home'])}", 120)
    user.succeed(f"{FILL.format('~')}; {FILL.format('~/control')}; tau permissions grant {APP} filesystem:rw:home", 60)
    user.succeed("echo key >~/control/fscrypt_recovery_readme.txt")
    for name, text in (("reaches", (PROBES / "reaches.py").read_text()), ("listen", LISTEN)):
        machine.run(f"cat >/var/tmp/{name}.py", stdin=text.encode())
    listen = "sleep 300 | python3 /var/tmp/listen.py ~ ~/control >/tmp/listens"
    user.succeed(f"{listen} & until grep -q listens /tmp/listens; do sleep 0.2; done", 60)
    user.succeed(f"tau run {APP} python3 /app/bin/reaches.py {FILES}/home >/tmp/inside", 120)
    user.succeed("python3 /var/tmp/reaches.py ~/control >/tmp/outside", 60)
    inside, outside = (json.loads(machine.succeed(f"cat /tmp/{name}")) for name in ("inside", "outside"))
    free = {"read", "read in a folder", "write", "rename", "remove"}
    assert {what for what, how in inside.items() if how == "goes"} == free
    assert inside.pop("give rights on hidden") == "Operation not supported"
    assert {how for what, how in inside.items() if what not in free} == {DENIED}
    assert set(outside.values()) == {"goes"}, f"no control: {outside}"


def test_what_is_revoked_is_gone_whoever_keeps_it_open(
    terminal: Terminal, machine: Machine, installed: Callable[..., str]
) -> None:
    """Nothing is opened any more, whatever the app has kept; what is open stays, which its user is told."""
    user, start = terminal, installed("filesystem:ro:documents")
    user.succeed("mkdir ~/Documents; echo text | tee ~/Documents/file ~/Documents/other")
    permission = f"{APP} filesystem:ro:documents"
    user.succeed(f"tau permissions grant {permission}", 60)
    with keeping(user, machine, start, f"{FILES}/documents/file") as said:
        shown = user.run(f"tau permissions deny {permission}", 60, {r"Stop it now\? \[y/N\] ": "\n"})[1]
        assert f"{APP} runs. It can open nothing more; what it has open stays open until it ends." in shown
        assert said() == {
            **dict.fromkeys(("by its folder", "from where it is", "opened anew"), DENIED),
            **dict.fromkeys(("opened by what only names it", "another in its folder"), DENIED),
            "by its path": ABSENT,
            "what is open": "goes",
        }
        # And there again, as soon as it is granted.
        assert "stays open" not in user.succeed(f"tau permissions grant {permission}", 60)
        assert said()["by its path"] == "goes"
    # Asked again when nothing is decided; a command that is told to stop it does.
    with keeping(user, machine, start, f"{FILES}/documents/file"):
        user.run(f"tau permissions reset {APP}", 60, {r"Stop it now\? \[y/N\] ": "y\n"})
        assert user.run("wait %1", 60)[0] == 143
    machine.wait_until(f'test -z "$({LEFT})"', 60)


def test_a_camera(user: Terminal, machine: Machine, sample: Callable[[str], str]) -> None:
    """The kernel's virtual one, by a program that takes pictures: asked, denied, granted, revoked live, removed."""
    user.succeed(f"tau install --yes {sample('org.tauos.camera')}", 120)
    grab = "tau run org.tauos.camera >/tmp/shot.png"
    assert user.run(grab, 120, asked(("use the camera \\(there is none now\\)", "")))[0] == 1
    machine.succeed(f"modprobe --ignore-install vivid && udevadm settle && usermod --append --groups video {USER}", 120)
    status, shown = user.run(grab, 120, asked(("use the camera", "n")))
    assert status == 1 and "camera: you have not allowed the camera" in shown
    assert user.run(grab, 120, asked(("use the camera", "a")))[0] == 0
    picture = machine.succeed("head -c 24 /tmp/shot.png | od -An -v -tx1").split()
    assert bytes.fromhex("".join(picture[:8])) == b"\x89PNG\r\n\x1a\n" and int("".join(picture[16:20]), 16) == 320
    shown = user.succeed(
        "tau run org.tauos.camera --every 1 >/tmp/shots 2>/tmp/said </dev/null &"
        " until [ $(grep -ac IHDR /tmp/shots) -gt 1 ]; do sleep 0.2; done; "
        "tau permissions deny org.tauos.camera camera --keep; wait $!; echo it-gave-$?",
        240,
    )
    assert "org.tauos.camera runs. It can open nothing more" in shown and "it-gave-1" in shown
    assert "camera: you have not allowed the camera" in machine.succeed("cat /tmp/said")
    assert user.run(grab, 120)[0] == 1
    user.succeed("tau remove org.tauos.camera", 60)
    assert user.run(grab, 60)[0] == 125


def test_devices_that_are_revoked(user: Terminal, machine: Machine, bring: Bring) -> None:
    machine.succeed("modprobe --ignore-install vivid && modprobe snd-aloop && udevadm settle", 120)
    machine.succeed(f"usermod --append --groups video,audio {USER}")
    user.succeed(f"tau install --yes {bring('app', permissions=['camera', 'microphone'])}", 120)
    user.succeed(f"tau permissions grant {APP} camera; tau permissions grant {APP} microphone", 60)
    with keeping(user, machine, f"tau run {APP}", "/dev/video0") as said:
        user.run(f"tau permissions deny {APP} camera", 60, {r"Stop it now\? \[y/N\] ": "\n"})
        assert {what: how for what, how in said().items() if how == "goes"} == {"what is open": "goes"}
    card = machine.succeed("basename $(ls -d /dev/snd/pcm*c | head -n 1)")
    look = f"ls /dev/snd; head -c 0 /dev/snd/{card} && echo heard"
    shown = user.succeed(f"tau run {APP} sh -c '{look}'", 120)
    assert "heard" in shown and card in shown and not re.search(r"pcmC\d+D\d+p|seq|timer", shown)
    user.succeed(f"tau permissions deny {APP} microphone", 60)
    assert f"/dev/snd/{card}' for reading: {DENIED}" in user.run(f"tau run {APP} sh -c '{look}'", 120)[1]


def test_a_folder_of_ones_own_choice(terminal: Terminal, machine: Machine, installed: Callable[..., str]) -> None:
    """Its user's own word goes to root: nothing hidden, nothing that a link leads to, nothing outside of the home."""
    user, start = terminal, installed("filesystem:rw:picked")
    user.succeed(f"mkdir -p ~/Work/x ~/.ssh; {FILL.format('~/Work/x')}; ln -s /etc ~/etc; ln -s Work ~/short")
    dialogue = asked(("that you choose", "a")) | {
        r"Which folder\? ~/": ".ssh\n",
        r"\.ssh: is hidden[^\n]*\n(?s:.*?)\? ~/": "etc\n",
        r"etc: is hidden, not below(?s:.*?)\? ~/": "short/x\n",
    }
    reach = f"{start} sh -c 'ls -a {FILES}/picked; echo x >{FILES}/picked/.git; ls /run/tau/files'"
    shown = user.run(reach, 120, dialogue)[1]
    assert ".secret" in shown and "Allowed: always." in shown and shown.splitlines()[-1] == "picked"
    assert machine.succeed(f"cat {HOME}/Work/x/.git") == "x"
    # Another, while it runs, and a link that its user puts in the way meanwhile: root does not follow it.
    with keeping(user, machine, start, f"{FILES}/picked/plain") as said:
        user.succeed(f"mkdir ~/Other; tau permissions pick {APP} ~/Other", 60)
        assert said()["by its path"] == ABSENT
    user.succeed("mv ~/Other ~/Away; ln -s .ssh ~/Other; echo key >~/.ssh/plain")
    assert user.run(f"{start} cat {FILES}/picked/plain", 120)[0] == 1
    status, shown = user.run(f"tau permissions pick {APP} ~", 60)
    assert status == 1 and f"{HOME}: is hidden, not below your home, or ~/bin: an app can't be given it" in shown


#: A ticket, and a portal, as a program of the user's that is not `tau` would use them.
FORGED = """
import sys
sys.path.insert(0, "/usr/lib/tau/python")
from tau import portal, ticket
from tau.bus import Bus, BusError
for path in (".ssh", "../other", "/etc", "Work/../.ssh", "Work//x", "", "Work/\\n"):
    given, kept = ticket.write(ticket.Wish.PICK, app=sys.argv[1], details=path.encode())
    try:
        Bus().call("Pick", "h", given.fileno())
        print("picked", path)
    except BusError as error:
        print(error.name.rpartition(".")[2])
try:
    print("portal", portal.request("filesystem:rw:picked"))
except OSError as error:
    print("portal", error.strerror)
"""


def test_nobody_asks_in_anothers_name(terminal: Terminal, machine: Machine, installed: Callable[..., str]) -> None:
    """The portal knows an app by its control group: it is no other's, and a program outside of all is nobody."""
    user, start = terminal, installed("filesystem:rw:picked")
    machine.run("cat >/var/tmp/forged.py", stdin=FORGED.encode())
    user.succeed(f"tau permissions grant {APP} filesystem:rw:picked", 60)
    asks = f"{start} sh -c 'read x' </tmp/go"
    user.succeed(f"mkfifo /tmp/go; {asks} & exec 9>/tmp/go; until tau ps | grep {APP}; do sleep 0.2; done", 60)
    shown = user.succeed(f"python3 -I /var/tmp/forged.py {APP}", 60)
    user.run("exec 9>&-; wait", 60)
    *picked, asked_there = shown.splitlines()
    assert picked == ["NoTicket"] * 7 and asked_there.startswith("portal ") and "True" not in asked_there, shown
    # What an app does not declare, and what is no permission; what it declares, and its user has granted.
    asks = "for p in camera network filesystem:rw:home filesystem:rw:picked; do tau request $p; done"
    shown = user.succeed(f"{start} sh -c '{asks}'; true", 120)
    assert [line for line in shown.splitlines() if ": " in line] == [
        *(f"{each}: is not in this app's manifest" for each in ("camera", "network", "filesystem:rw:home")),
        "filesystem:rw:picked: allowed",
    ]
    # Whoever asks over and over again has one question put.
    user.succeed(f"tau permissions reset {APP}", 60)
    flood = "for i in 1 2 3 4 5; do tau request filesystem:rw:picked; done"
    shown = user.run(f"{start} sh -c '{flood}'", 120, asked(("that you choose", "")))[1]
    assert shown.count(QUESTION) == 1 and shown.count("filesystem:rw:picked: refused") == 5


@pytest.mark.row(12)
def test_a_sandboxd_that_is_killed_holds_to_what_was_decided(
    terminal: Terminal, machine: Machine, installed: Callable[..., str]
) -> None:
    """A revocation that it did not live to carry out is carried out by the next."""
    user, start = terminal, installed("filesystem:ro:documents")
    user.succeed(f"mkdir ~/Documents; echo text >~/Documents/file; tau permissions grant {APP} filesystem:ro:documents")
    with keeping(user, machine, start, f"{FILES}/documents/file") as said:
        denied = "sqlite3.connect('/var/lib/tau/permissions/store.sqlite', isolation_level=None)"
        machine.succeed(f"python3 -c \"import sqlite3; {denied}.execute('UPDATE decisions SET allowed = 0')\"")
        machine.succeed(
            "grep -q /run/tau/attached/ /proc/self/mountinfo && systemctl kill --signal=KILL sandboxd.service"
        )
        user.succeed("tau list", 60)
        machine.wait_until("! grep -q /run/tau/attached/ /proc/self/mountinfo", 60)
        assert said()["by its path"] == ABSENT
