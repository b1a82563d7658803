"""The first user: made once, an ordinary one, on whichever console somebody sits at, and surviving an update."""

from collections.abc import Callable

import pytest
from testinfra.host import Host

from qemu.machine import Machine
from qemu.terminal import Terminal

pytestmark = pytest.mark.row(13)


def test_the_user_of_the_credentials_is_an_ordinary_one(host: Host) -> None:
    user = host.user("tester")
    assert user.exists and user.uid >= 1000 and user.shell == "/bin/bash"
    assert set(user.groups) == {"tester", "sudo"}
    home = host.file("/home/tester")
    assert home.is_directory and home.user == "tester" and home.mode == 0o700
    assert host.run("getent passwd | awk -F: '$3 >= 1000 && $3 < 60000'").stdout.count("\n") == 1


def test_the_user_logs_in_on_the_console_and_has_no_privilege(terminal: Terminal) -> None:
    terminal.log_in()
    assert "uid=0" not in terminal.succeed("id")
    assert "CapEff:\t0000000000000000" in terminal.succeed("grep CapEff /proc/self/status").replace(" ", "\t")
    status, _ = terminal.run("echo x >/etc/x")
    assert status != 0


@pytest.mark.parametrize("password", ["wrong horse", ""])
def test_a_wrong_password_gives_no_shell(terminal: Terminal, password: str) -> None:
    assert not terminal.try_log_in(password=password)


def test_twice_is_refused_and_changes_nothing(machine: Machine) -> None:
    before = machine.succeed("sha256sum /etc/passwd /etc/shadow /etc/group")
    assert "exists already" in machine.fail("echo 'another pass' | /usr/lib/tau/make-user another ''")
    assert machine.succeed("sha256sum /etc/passwd /etc/shadow /etc/group") == before


@pytest.mark.destructive
@pytest.mark.parametrize(
    ("name", "password", "said"),
    [
        ("root", "long enough", "belongs to the system"),
        ("../x", "long enough", "a user name has"),
        ("-x", "long enough", "a user name has"),
        ("A", "long enough", "a user name has"),
        ("a b", "long enough", "a user name has"),
        ("x" * 40, "long enough", "a user name has"),
        ("ok", "short", "at least 8"),
        ("ok", "with\x07bell", "control character"),
    ],
)
def test_hostile_names_and_passwords(machine: Machine, name: str, password: str, said: str) -> None:
    machine.succeed("mv /var/lib/tau/users/done /var/lib/tau/users/aside")
    answer = machine.run(f"printf '%s' '{password}' | /usr/lib/tau/make-user '{name}' ''")
    assert answer.status == 2 and said in answer.stderr.decode()
    machine.succeed("mv /var/lib/tau/users/aside /var/lib/tau/users/done")


@pytest.mark.destructive
def test_what_a_power_cut_left_is_made_anew(machine: Machine) -> None:
    machine.succeed("mv /var/lib/tau/users/done /var/lib/tau/users/pending")
    machine.succeed("printf 'another pass' | /usr/lib/tau/make-user second ''")
    assert machine.run("id tester").status != 0
    assert machine.succeed("cat /var/lib/tau/users/done") == "second"
    assert machine.run("test -e /home/tester").status != 0


@pytest.mark.destructive
@pytest.mark.parametrize(
    "left",
    [
        ": >/etc/passwd.lock",  # useradd's lock, whose content never reached the disk
        "printf 1 >/etc/gshadow.lock",  # and with the number of a process that runs by now
        "sed -i /^tester:/d /etc/passwd /etc/shadow",  # in the middle of userdel
        "cp /etc/passwd /etc/passwd+; printf 999999 >/etc/passwd.999999",
    ],
)
def test_what_a_power_cut_left_of_the_accounts_is_no_obstacle(machine: Machine, left: str) -> None:
    machine.succeed("mv /var/lib/tau/users/done /var/lib/tau/users/pending")
    machine.succeed(left)
    machine.succeed("printf 'another pass' | /usr/lib/tau/make-user second ''")
    for accounts in ("passwd", "group"):
        people = machine.succeed(f"getent {accounts} | awk -F: '$3 >= 1000 && $3 < 60000 {{print $1}}'")
        assert people == "second"
    assert machine.run("cd /etc && ls -d {passwd,shadow,group,gshadow}{.lock,+,.[0-9]*} 2>/dev/null").stdout == b""


@pytest.mark.destructive
def test_a_system_user_that_a_newer_image_has_comes_back_with_its_number(machine: Machine) -> None:
    """One that Debian numbers itself, and those that packages made while they were installed, if there are any."""
    numbered = "grep -hoP '^u!? \\K\\S+' $(ls /usr/lib/sysusers.d/*.conf | grep -v /00-tau-image.conf)"
    made = machine.run(f"awk -F: '$3 < 1000 {{print $1}}' /etc/passwd | grep -vxF \"$({numbered})\"").text.split()
    for user in ("games", *made):
        before = machine.succeed(f"id {user}")
        machine.succeed(f"userdel --force {user} 2>&1; ! id {user} 2>/dev/null")
        machine.succeed("systemd-sysusers")
        assert machine.succeed(f"id {user}") == before


def test_somebody_at_the_console_is_asked(fresh_machine: Callable[..., Machine]) -> None:
    with fresh_machine(credentials={}) as machine:
        assert machine.boot() == "running"
        terminal = Terminal(machine.console)
        passwords = [("(Password|again): ", "long enough")] * 2
        mark = terminal.answer(
            [
                ("Press Enter to make the first one here", ""),
                ("Name of the first user: ", "Röot"),
                *passwords,
                ("a user name has(.*\n)*Name of the first user: ", "anna"),
                *passwords,
            ]
        )
        terminal.expect("login: $", timeout=180, since=mark)  # a home is encrypted, where that overlay is in
        terminal.log_in("anna", "long enough")
        assert "(sudo)" in terminal.succeed("id")
        # The machine's own screen, where nobody has done anything, has learnt of it.
        machine.wait_until("grep -a 'login:' /dev/vcs1", 30)
