"""Installing apps: by the user who asks, for that user, from a bundle whose signature is in order, and nobody else."""

import re
from pathlib import Path

import pytest

from overlays.sandboxd.author.tools import Tools
from overlays.sandboxd.conftest import APP, Bring
from qemu.machine import Machine
from qemu.terminal import USER, Terminal

pytestmark = [pytest.mark.row(11), pytest.mark.destructive, pytest.mark.xdist_group("apps")]

STORE = "/var/lib/tau/sandbox"


def refused(user: Terminal, command: str) -> str:
    """What is said of a command that must fail."""
    status, shown = user.run(command, 120)
    assert status == 1, shown
    return [line for line in shown.splitlines() if line.startswith(("/", "org"))][-1]


def installed(user: Terminal) -> list[str]:
    return [line for line in user.succeed("tau list", 120).splitlines() if line.startswith("org.")]


def staged(machine: Machine) -> str:
    return machine.succeed(f"ls {STORE}/staged")


def test_an_app_comes_and_goes(user: Terminal, machine: Machine, bring: Bring) -> None:
    bundle = bring("app", name="An app", summary="Says hello")
    shown = user.succeed(f"tau install --yes {bundle}", 120)
    assert f"An app ({APP}), version 1.2\n  Says hello\nIt may ask to:\n  - use the internet\n" in shown
    assert installed(user) == [f"{APP}  1.2  network"]
    assert staged(machine) == ""
    # For this user alone, and out of reach of the user: neither to read nor to write.
    assert machine.succeed(f"ls {STORE}/apps") == machine.succeed(f"id -u {USER}")
    assert "Permission denied" in user.run(f"ls {STORE}/apps")[1]
    assert f"{APP} is removed" in user.succeed(f"tau remove {APP}", 120)
    assert installed(user) == []
    assert machine.succeed(f"find {STORE}/apps -type f") == ""
    assert refused(user, f"tau remove {APP}") == f"{APP}: is not installed; `tau list` shows your apps"
    # Nor did the kernel find anything wrong with the file, which it reads as a disk.
    assert "I/O error" not in machine.succeed("journalctl -kq")


def test_nothing_is_installed_without_an_answer(user: Terminal, machine: Machine, bring: Bring) -> None:
    bundle = bring("app")
    for answer in ("\n", "n\n", "\x04", "maybe\n"):
        status, shown = user.run(f"tau install {bundle}", 120, {r"Install it\? \[y/N\] ": answer})
        assert (status, "not installed" in shown) == (1, True)
    assert user.run(f"tau install {bundle} </dev/null", 120)[0] == 1
    assert installed(user) == [] and staged(machine) == ""
    # One that goes away amid the question has not answered it either.
    user.run(f"timeout -s KILL 20 tau install {bundle}", 120)
    machine.wait_until(f'test -z "$(ls {STORE}/staged)"', 30)
    assert installed(user) == []
    assert user.run(f"tau install {bundle}", 120, {r"Install it\? \[y/N\] ": "y\n", "ask\\] ": "\n"})[0] == 0
    assert installed(user) == [f"{APP}  1.2  network"]


def test_versions(user: Terminal, bring: Bring) -> None:
    first, second = bring("first"), bring("second", version="1.10", permissions=["network", "camera"])
    user.succeed(f"tau install --yes {first}", 120)
    assert refused(user, f"tau install --yes {first}") == f"{first}: is installed already"
    shown = user.succeed(f"tau install --yes {second}", 120)
    assert (
        "It takes the place of version 1.2.\nIt may ask to:\n  - use the internet\n  - use the camera (new)\n" in shown
    )
    assert refused(user, f"tau install --yes {first}") == f"{first}: is older than the one that is installed"
    assert installed(user) == [f"{APP}  1.10  network, camera"]
    user.succeed(f"tau remove {APP}", 120)
    user.succeed(f"tau install --yes {first}", 120)
    assert installed(user) == [f"{APP}  1.2  network"]


def test_another_signer(user: Terminal, tools: Tools, bring: Bring, tmp_path: Path) -> None:
    other = tools.key(tmp_path, "other")
    user.succeed(f"tau install --yes {bring('app')}", 120)
    bundle = bring("other", other, version="9")
    said = refused(user, f"tau install --yes {bundle}")
    assert said == f"{bundle}: was signed by somebody else than the one that is installed"
    assert installed(user) == [f"{APP}  1.2  network"]
    user.succeed(f"tau remove {APP}", 120)
    user.succeed(f"tau install --yes {bundle}", 120)
    assert installed(user) == [f"{APP}  9  network"]


def test_a_tampered_byte(user: Terminal, machine: Machine, bring: Bring) -> None:
    """In the app's files: the signature is in order, and the kernel does not hand the block out."""
    bundle = bring("app", summary="Says hello", edit=(b"Says hello", b"Says jello"))
    assert refused(user, f"tau install --yes {bundle}").startswith(f"{bundle}: ")
    bundle = bring("signature", edit=(b'"signature":"M', b'"signature":"N'))
    assert refused(user, f"tau install --yes {bundle}") == f"{bundle}: has a wrong signature"
    assert installed(user) == [] and staged(machine) == ""


def test_files_that_are_no_bundles(user: Terminal, machine: Machine) -> None:
    for file, said in (
        ("/etc/passwd", "is not a disk image with a partition table"),
        ("/dev/null", "is not a file"),
        ("/etc", "is not a file"),
        ("/nonexistent", "can't be read: No such file or directory"),
        ("/etc/shadow", "can't be read: Permission denied"),
    ):
        assert refused(user, f"tau install --yes {file}") == f"{file}: {said}"
    assert staged(machine) == ""


def test_only_a_person_who_is_logged_in_asks(user: Terminal, machine: Machine, bring: Bring) -> None:
    """A process with the user's number that no login has begun is what an app will be."""
    bundle = bring("app")
    as_app = f"systemd-run --quiet --wait --pipe --uid={USER} -- tau"
    said = machine.fail(f"{as_app} install --yes {bundle} 2>&1", 120)
    assert said.strip() == f"{bundle}: was not made in a login session of user {machine.succeed(f'id -u {USER}')}"
    user.succeed(f"tau install --yes {bundle}", 120)
    for wish in ("remove", "run"):
        assert "was not made in a login session" in machine.fail(f"{as_app} {wish} {APP} 2>&1", 120)
    assert "is of user 0, who is nobody's login" in machine.fail(f"tau install --yes {bundle} 2>&1", 120)
    assert installed(user) == [f"{APP}  1.2  network"]


TAKEN_OVER = """
import os, socket, sys
sys.path.insert(0, "/usr/lib/tau/python")
from tau import ticket
from tau.daemon import helper
from tau.launch import Launch
from tau.wire import Request, Verb

def attempt(name, call, *arguments):
    try:
        print(name, "DONE", call(*arguments))
    except helper.HelperError as error:
        print(name, error.status.name, error.reason)

given, kept = ticket.write(ticket.Wish.INSTALL, [os.open(sys.argv[1], os.O_RDONLY)])
attempt("own-ticket", helper.stage, given.fileno())
given, kept = ticket.write(ticket.Wish.REMOVE, app="org.example.app")
attempt("own-removal", helper.remove, given.fileno())
given, kept = ticket.write(ticket.Wish.RUN, (0, 1, 2), "org.example.app", Launch().pack())
attempt("own-start", helper.start, given.fileno())
attempt("no-ticket", helper.stage, os.open(sys.argv[1], os.O_RDONLY))
tcp = socket.socket()
attempt("tcp", helper.stage, tcp.fileno())
for number in (0, 1, 2**64 - 1):
    attempt("number", helper.commit, number)
attempt("too-many", helper._ask, Request(Verb.STAGE), [given.fileno(), kept.fileno()])
attempt("none", helper._ask, Request(Verb.REMOVE), [])
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as raw:
    raw.connect("/run/tau/helper")
    raw.send(b"x" * 5000)
    raw.settimeout(60)
    print("garbage", raw.recv(100))
"""


def test_a_sandboxd_that_was_taken_over_installs_nothing_of_its_own(
    user: Terminal, machine: Machine, bring: Bring
) -> None:
    """It has all of sandboxd's rights, and no user's ticket."""
    bundle = bring("app")
    user.succeed(f"tau install --yes {bundle}", 120)
    machine.run("cat >/run/taken-over.py", stdin=TAKEN_OVER.encode())
    attack = f"python3 -I /run/taken-over.py {bundle} 2>&1"
    said = machine.succeed(f"setpriv --reuid=sandboxd --regid=sandboxd --clear-groups {attack}", 120)
    results = [line.split(" ", 2)[:2] for line in said.splitlines()]
    assert results == [
        ["own-ticket", "NO_TICKET"],
        ["own-removal", "NO_TICKET"],
        ["own-start", "NO_TICKET"],
        ["no-ticket", "NO_TICKET"],
        ["tcp", "NO_TICKET"],
        ["number", "NOT_THERE"],
        ["number", "NOT_THERE"],
        ["number", "NOT_THERE"],
        ["too-many", "BAD_REQUEST"],
        ["none", "BAD_REQUEST"],
        ["garbage", "b''"],
    ]
    # Nobody else gets as far: the user is kept from the socket, and root, which is not sandboxd, is hung up on.
    as_user = machine.run(f"setpriv --reuid={USER} --clear-groups {attack}", 120).text
    assert "Permission denied" in as_user and "DONE" not in as_user
    as_root = machine.run(attack, 120).text
    assert "own-ticket FAILED" in as_root and "DONE" not in as_root
    assert installed(user) == [f"{APP}  1.2  network"] and staged(machine) == ""


@pytest.mark.row(12)
def test_what_the_parts_may_do(user: Terminal, machine: Machine) -> None:
    user.succeed("tau list", 120)
    shown = machine.succeed("systemd-analyze security --no-pager sandboxd.service", 120)
    (score,) = re.findall(r"exposure level for sandboxd.service: ([0-9.]+)", shown)
    assert float(score) < 1.5
    process = machine.succeed("systemctl show -P MainPID sandboxd")
    status = machine.succeed(f"cat /proc/{process}/status")
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in status
    assert machine.succeed(f"stat -c %U /proc/{process}") == "sandboxd"
