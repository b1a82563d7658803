"""sudo by its effects: what a session leaves behind, what happens when it can't, and no other way to root."""

import re
import time

import pytest

from qemu.machine import Machine
from qemu.terminal import Terminal

pytestmark = pytest.mark.row(4)


def test_a_session_is_recorded_and_replayed(machine: Machine, terminal: Terminal) -> None:
    terminal.log_in()
    mark = f"marker-{time.time_ns()}"
    assert "uid=0(root)" in terminal.sudo("id")
    terminal.sudo(f"sh -c 'echo {mark}; /bin/true; exit 3'", check=False)
    listed = machine.succeed("sudoreplay -d /var/log/sudo-io -l")
    assert "COMMAND=/usr/bin/id" in listed and f"echo {mark}" in listed
    identity = [line for line in listed.splitlines() if mark in line][-1].split("TSID=")[1].split(";")[0].strip()
    assert mark in machine.succeed(f"sudoreplay -d /var/log/sudo-io -m 0 -s 100 {identity} </dev/null")
    folder = f"/var/log/sudo-io/{identity[:2]}/{identity[2:4]}/{identity[4:]}" if "/" not in identity else identity
    log = machine.succeed("journalctl -b --no-pager -t sudo")
    assert "COMMAND=/usr/bin/id" in log
    # At the end of a line: the shell's own command line names it, too.
    assert re.search(r"COMMAND=\S*/bin/true$", log, re.MULTILINE), "the sub-command of the shell was not logged"
    assert "EXIT=3" in log or "exit=3" in log.lower(), "the exit status was not logged"
    assert machine.succeed(f"test -e {folder}/log || find /var/log/sudo-io -name log | grep -q .") == ""


def test_the_password_is_not_in_the_record(machine: Machine, terminal: Terminal) -> None:
    terminal.log_in()
    terminal.succeed("sudo -k")
    terminal.sudo("true")
    found = machine.run("find /var/log/sudo-io -type f -exec zcat -f {} + | grep -c 'correct horse'").text
    assert found == "0"
    asks = 'stty -echo; printf "Enter login passphrase for tester: "; read -r line; stty echo'
    terminal.sudo(f"sh -c '{asks}'", answers={r"passphrase for tester: $": "never in clear\n"})
    found = machine.run("find /var/log/sudo-io -type f -exec zcat -f {} + | grep -c 'never in clear'").text
    assert found == "0"
    # The control: what is typed where it shows is in the record of what was typed (it is echoed into the other one).
    terminal.sudo("sh -c 'echo ready; read -r line'", answers={r"^ready$": "shown in clear\n"})
    found = machine.run("find /var/log/sudo-io -name ttyin -exec zcat -f {} + | grep -c 'shown in clear'").text
    assert int(found) > 0


def test_a_wrong_password_and_a_user_outside_the_group(machine: Machine, terminal: Terminal) -> None:
    machine.succeed("useradd -M -N plain && echo plain:horse >/dev/null")
    answer = machine.run("runuser -u plain -- sudo -n id")
    assert answer.status != 0
    answer = machine.run("runuser -u tester -- sudo -n id")
    assert answer.status != 0 and b"password" in answer.stderr
    machine.succeed("userdel plain")


@pytest.mark.destructive
def test_a_full_log_stops_sudo_and_recovers(machine: Machine, terminal: Terminal) -> None:
    terminal.log_in()
    terminal.sudo("true")
    machine.succeed("systemctl stop tau-sudo-prune.timer tau-sudo-prune.service")
    # An old record of such a size, as a command that prints without end leaves it
    old = "/var/log/sudo-io/00/00/00"
    machine.succeed(f"mkdir -p {old} && touch -d 2020-01-01 {old}/log")
    free = f"$(df --output=avail --block-size=1K {old} | tail -n 1)"
    machine.run(f"fallocate -l {free}K {old}/ttyout; dd if=/dev/zero of={old}/ttyin bs=4K; sync")
    assert machine.run("echo y >/var/log/sudo-io/x").status != 0, "there was room left"
    machine.succeed("rm -f /var/tmp/ran")
    said = terminal.sudo("touch /var/tmp/ran", check=False)
    assert machine.run("test -e /var/tmp/ran").status == 1, said
    machine.succeed("systemctl start tau-sudo-prune.timer")
    machine.wait_until("test $(df --output=pcent /var/log/sudo-io | tr -dc 0-9) -lt 80", timeout=150)
    terminal.sudo("touch /var/tmp/ran")
    assert machine.run("test -e /var/tmp/ran").status == 0


@pytest.mark.destructive
def test_many_short_records_stop_sudo_and_it_recovers(machine: Machine, terminal: Terminal) -> None:
    """A record is nine files: the inodes are gone long before the blocks are."""
    terminal.log_in()
    terminal.sudo("true")
    machine.succeed("systemctl stop tau-sudo-prune.timer tau-sudo-prune.service")
    machine.run(
        "cd /var/log/sudo-io && mkdir -p ZZ/00/{1..1900};"
        "touch -d 2020-01-01 ZZ/00/{1..1900}/{log,log.json,stderr,stdin,stdout,timing,ttyin,ttyout}"
    )
    assert machine.succeed("df --output=iavail /var/log/sudo-io | tail -n 1").strip() == "0", "there was room left"
    assert int(machine.succeed("df --output=pcent /var/log/sudo-io | tr -dc 0-9")) < 50, "the other check's case"
    said = terminal.sudo("touch /var/tmp/ran", check=False)
    assert machine.run("test -e /var/tmp/ran").status == 1, said
    machine.succeed("systemctl start tau-sudo-prune.timer")
    machine.wait_until("test $(df --output=ipcent /var/log/sudo-io | tr -dc 0-9) -le 80", timeout=300)
    terminal.sudo("touch /var/tmp/ran")
    assert machine.run("test -e /var/tmp/ran").status == 0


@pytest.mark.destructive
def test_a_command_stops_when_its_record_is_full(machine: Machine, terminal: Terminal) -> None:
    terminal.log_in()
    terminal.sudo("true")
    machine.succeed("systemctl stop tau-sudo-prune.timer tau-sudo-prune.service")
    left = 200  # KiB; what is printed does not compress, and goes past the terminal, which it would keep busy
    free = "$(df --output=avail --block-size=1K . | tail -n 1)"
    machine.succeed(f"cd /var/log/sudo-io && fallocate -l $(({free} - {left}))K filler")
    prints = "sh -c 'head -c 1000000 /dev/urandom | base64; touch /var/tmp/ran' >/dev/null"
    said = terminal.sudo(prints, check=False, timeout=300)
    assert machine.run("test -e /var/tmp/ran").status == 1
    assert "unable to write to I/O log file" in said


@pytest.mark.parametrize("command", ["su -c id", "pkexec id", "run0 id", "systemd-run --pty id", "runuser -u root id"])
def test_no_other_way_to_root(machine: Machine, command: str) -> None:
    answer = machine.run(f"setsid runuser -u tester -- {command}")
    assert answer.status != 0 and b"uid=0" not in answer.stdout


def test_a_sudo_of_less_than_a_password(machine: Machine) -> None:
    assert machine.succeed("stat -c '%a %U' /etc/sudoers") == "440 root"
    assert "NOPASSWD" not in machine.succeed("cat /etc/sudoers /etc/sudoers.d/* | grep -v '^#'")
