"""Homes as a thief, root and the user see them: locked before login and after logout, whatever runs."""

import re
import secrets

import pytest

from image.plan import Plan
from qemu.machine import Machine
from qemu.terminal import PASSWORD, USER, Terminal

pytestmark = pytest.mark.row(5)

HOME = f"/home/{USER}"
LOCKED = f"fscrypt status {HOME} | grep -q '^Unlocked: *No'"


def wait_until_locked(machine: Machine, timeout: float = 60) -> None:
    machine.wait_until(f"{LOCKED} && ! pgrep -u {USER}", timeout)


def holds_in_clear(machine: Machine, *markers: str) -> list[bool]:
    """Whether the raw disk, as it lies on the host, has each of the texts anywhere."""
    machine.succeed("sync; echo 3 >/proc/sys/vm/drop_caches")
    found = [False] * len(markers)
    with machine.files.disk.open("rb") as disk:
        before = b""
        while block := disk.read(1 << 24):
            window = before + block
            found = [each or marker.encode() in window for each, marker in zip(found, markers, strict=True)]
            before = block[-256:]
    return found


def test_the_home_is_locked_before_the_first_login(machine: Machine) -> None:
    machine.succeed(LOCKED)
    names = machine.succeed(f"ls -A {HOME}").split()
    assert len(names) >= 3 and ".bashrc" not in names
    assert "Required key not available" in machine.fail(f"touch {HOME}/x")


def test_root_reads_names_and_content_only_while_the_user_is_there(machine: Machine, terminal: Terminal) -> None:
    marker = f"content-{secrets.token_hex(12)}"
    terminal.log_in()
    terminal.succeed(f"echo {marker} >~/a-name-of-mine")
    assert machine.succeed(f"cat {HOME}/a-name-of-mine") == marker  # the control
    terminal.log_out()
    wait_until_locked(machine)
    assert "a-name-of-mine" not in machine.succeed(f"ls -AR {HOME}")
    assert machine.run(f"cat {HOME}/* 2>/dev/null").stdout == b""
    assert "Required key not available" in machine.fail(f"cat {HOME}/*")


def test_what_is_written_in_the_home_is_not_on_the_disk(machine: Machine, terminal: Terminal) -> None:
    content, name, control = (f"{secrets.token_hex(16)}" for _ in range(3))
    terminal.log_in()
    terminal.succeed(f"echo {content} >~/{name}; sync")
    machine.succeed(f"echo {control} >/var/tmp/control; sync")
    assert holds_in_clear(machine, control, content, name) == [True, False, False]
    terminal.log_out()
    wait_until_locked(machine)
    assert holds_in_clear(machine, content, name) == [False, False]


def test_whatever_was_left_running_is_ended_and_the_home_locked(machine: Machine, terminal: Terminal) -> None:
    terminal.log_in()
    terminal.succeed("sleep 3001 >~/job & disown")
    terminal.succeed("nohup sleep 3002 >~/nohup.out 2>&1 & true")
    terminal.succeed("setsid sleep 3003 >~/setsid & true")
    terminal.succeed("(trap '' TERM HUP; exec >~/stubborn 2>&1; while :; do sleep 3004; done) & true")
    stubborn = "cd ~ && exec 3>held; trap '' TERM; while :; do sleep 3005; done"
    terminal.succeed(f'systemd-run --user --quiet sh -c "{stubborn}"')
    machine.wait_until("test $(pgrep -fcx 'sleep 300[1-5]') = 5", 20)
    terminal.log_out()
    wait_until_locked(machine)
    assert machine.run("pgrep -fx 'sleep 300[1-5]'").status == 1
    assert not {"job", "nohup.out", "held"} & set(machine.succeed(f"ls -A {HOME}").split())


def test_who_comes_back_at_once_finds_the_home_open(machine: Machine, terminal: Terminal) -> None:
    for _ in range(2):
        terminal.log_in()
        assert "locked" not in terminal.succeed("cat ~/.bashrc >/dev/null && echo read")
        terminal.log_out()
    wait_until_locked(machine)


@pytest.mark.destructive
def test_who_comes_back_while_the_home_is_being_locked_finds_it_open(machine: Machine, terminal: Terminal) -> None:
    """A lock that takes its time, since something of root's is in the home: it must not come after the new login."""
    uid = machine.succeed(f"id -u {USER}")
    terminal.log_in()
    machine.succeed(f"systemd-run --quiet --unit=holder --property=WorkingDirectory={HOME} sleep 3006")
    terminal.log_out()
    machine.wait_until(f"systemctl show --property=ActiveState --value tau-home@{uid} | grep -qx deactivating", 60)
    terminal.log_in()
    assert "read" in terminal.succeed("cat ~/.bashrc >/dev/null && echo read")


def test_login_alone_runs_pam_fscrypt(machine: Machine, terminal: Terminal, plan: Plan) -> None:
    """Go does not survive a fork, as the user's manager and sudo do it amid a session: a call may never return."""
    terminal.log_in()
    users = "for each in $(grep -ls pam_fscrypt /proc/[0-9]*/maps); do cat ${each%maps}comm; done"
    assert machine.succeed(users) == "login"
    if plan.overlay("sudo") is not None:
        machine.succeed(f"echo '({users}) >/run/found' >/run/users")
        terminal.sudo("sh /run/users")
        assert machine.succeed("cat /run/found") == "login"
    assert machine.succeed(f"pgrep -u {USER} -fx '[(]sd-pam[)]'")


def test_a_service_that_pam_does_not_know_lets_nobody_in(machine: Machine) -> None:
    """libpam reads "other" for it; and for every service, so that pam_fscrypt there would be in those that fork."""
    run = f"systemd-run --wait --pipe --quiet --property=User={USER} --property=PAMName="
    assert machine.succeed(f"{run}systemd-user id -un") == USER  # the control
    assert machine.run(f"{run}nowhere id -un").status == 224  # EXIT_PAM of systemd.exec(5)


def test_a_wrong_password_opens_nothing(machine: Machine, terminal: Terminal) -> None:
    assert not terminal.try_log_in(password="wrong horse")
    machine.succeed(LOCKED)


@pytest.mark.destructive
def test_a_new_password_opens_the_home_and_the_old_one_does_not(machine: Machine, terminal: Terminal) -> None:
    new = "battery staple"
    terminal.log_in()
    answers = {
        r"Current password: ?$": f"{PASSWORD}\n",
        r"New password: ?$": f"{new}\n",
        r"Retype new password: ?$": f"{new}\n",
    }
    status, said = terminal.run("passwd", 90, answers)
    assert status == 0, said
    terminal.log_out()
    wait_until_locked(machine)
    assert not terminal.try_log_in()
    terminal.log_in(USER, new)
    assert "read" in terminal.succeed("cat ~/.bashrc >/dev/null && echo read")


@pytest.mark.destructive
def test_the_recovery_key_opens_a_home_whose_password_root_has_changed(machine: Machine, terminal: Terminal) -> None:
    terminal.log_in()
    key = terminal.succeed("sed -n 3p ~/fscrypt_recovery_readme.txt").split()[-1]
    assert re.fullmatch("[a-z]{20}", key)  # 94 bits; fscrypt's crypto/crypto.go: NewRandomPassphrase
    terminal.log_out()
    wait_until_locked(machine)
    machine.succeed(f"echo '{USER}:another horse' | chpasswd")
    mark = machine.console.mark()
    terminal.log_in(USER, "another horse")
    terminal.expect("Your home is locked", since=mark)
    assert terminal.run("cat ~/.bashrc")[0] != 0
    protector = machine.succeed(f"fscrypt status {HOME} | awk '/custom/ {{print $1}}'")
    unlock = f"fscrypt unlock --quiet --unlock-with=/home:{protector} {HOME}"
    assert terminal.run(f"echo wrong-{key} | {unlock}")[0] != 0
    assert terminal.run(f"echo {key} | {unlock}")[0] == 0
    assert "read" in terminal.succeed("cat ~/.bashrc >/dev/null && echo read")


@pytest.mark.destructive
def test_a_home_that_stays_busy_is_reported(machine: Machine, terminal: Terminal) -> None:
    terminal.log_in()
    machine.succeed(f"systemd-run --quiet --unit=holder --property=WorkingDirectory={HOME} sleep 3009")
    terminal.log_out()
    uid = machine.succeed(f"id -u {USER}")
    said = machine.wait_until(f"journalctl --no-pager -b -u tau-home@{uid} | grep -B 3 'sleep 3009'", 60)
    assert f"the home of {USER} stays busy" in said
    assert machine.run(f"cat {HOME}/.bashrc").status != 0, "what was not open can be read"
    machine.succeed("systemctl stop holder")
    machine.run(f"fscrypt lock --all-users {HOME}")
    machine.succeed(LOCKED)


def test_nobody_keeps_services_running_without_a_session(machine: Machine, terminal: Terminal) -> None:
    terminal.log_in()
    assert terminal.run("loginctl enable-linger")[0] != 0
    assert machine.run(f"test -e /var/lib/systemd/linger/{USER}").status == 1


def test_the_hash_of_a_password_is_never_cheap(machine: Machine) -> None:
    memory = int(machine.succeed('sed -nE \'s/.*"memory": *"?([0-9]+).*/\\1/p\' /etc/fscrypt.conf'))
    assert memory >= 64 * 1024  # KiB


@pytest.mark.destructive
def test_the_recovery_key_is_shown_at_the_console_alone(machine: Machine) -> None:
    # As if its first user had never been completed; users' own checks see the first boot with nobody.
    machine.succeed("mv /var/lib/tau/users/done /var/lib/tau/users/pending")
    mark = machine.console.mark()
    machine.succeed(f"systemctl restart serial-getty@{machine.settings.serial}")
    terminal = Terminal(machine.console)
    mark = terminal.answer(
        [
            ("Press Enter to make the first one here", ""),
            ("Name of the first user: ", "anna"),
            ("Password: ", "long enough"),
            ("again: ", "long enough"),
        ],
        since=mark,
    )
    key = terminal.expect(r"write it down:\s+([a-z]{20})\n", timeout=180, since=mark)[1]
    terminal.expect("login: $", timeout=180, since=mark)
    machine.succeed("fscrypt status /home/anna | grep -q '^Unlocked: *No'")
    assert machine.run(f"journalctl -b --no-pager | grep -F '{key}'").status == 1
    protector = machine.succeed("fscrypt status /home/anna | awk '/custom/ {print $1}'")
    machine.succeed(f"echo '{key}' | fscrypt unlock --quiet --unlock-with=/home:{protector} /home/anna")
    machine.succeed("test -s /home/anna/.bashrc && fscrypt lock --all-users /home/anna")
    terminal.log_in("anna", "long enough")
    machine.succeed("test -s /home/anna/.bashrc")
