"""No root login: each way tried, each refused."""

from collections.abc import Callable

import pytest

from image.plan import Plan
from qemu.commandline import Settings
from qemu.machine import Machine
from qemu.terminal import PASSWORD, USER, Terminal

pytestmark = pytest.mark.row(3)

#: yescrypt of "correct horse"
HASH = b"$y$j9T$rYx1wq0yq9qPqb4Pp3pmu1$hGf7vJ5n2N4wzqD1S5vC1yQw0o9y3vVq5o0Jq1m5r77"


def test_root_has_no_password(machine: Machine) -> None:
    assert machine.succeed("getent shadow root | cut -d: -f2") == "!*"
    assert machine.succeed("awk -F: '$2 == \"\"' /etc/shadow") == "", "an account without a password"
    assert machine.succeed("awk -F: '$3 == 0 {print $1}' /etc/passwd") == "root"


@pytest.mark.destructive
def test_root_is_refused_on_the_console_even_with_a_password(machine: Machine, terminal: Terminal) -> None:
    assert terminal.try_log_in(USER, PASSWORD), "nobody can log in: this would prove nothing"
    terminal.log_out()
    machine.succeed(f"echo 'root:{PASSWORD}' | chpasswd")
    assert not terminal.try_log_in("root", PASSWORD)


@pytest.mark.destructive
@pytest.mark.parametrize("target", ["rescue", "emergency"])
def test_no_shell_in(machine: Machine, target: str) -> None:
    mark = machine.console.mark()
    machine.run(f"systemctl --no-block isolate {target}.target")
    machine.console.expect(rf"\({target}\)\. There is no root shell", timeout=120, since=mark)
    assert machine.run("pgrep -x 'sulogin|systemd-sulogin-shell'").status == 1
    serial = machine.settings.serial
    assert machine.run(f"pgrep -t {serial} -x 'bash|sh|dash'").status == 1 or "no-shell" in machine.succeed(
        f"ps -t {serial} -o args="
    )


def test_no_shell_by_the_kernel_command_line(fresh_machine: Callable[..., Machine], plan: Plan) -> None:
    """What somebody would type into a boot entry, if there were an editor."""
    serial = Settings(arch=plan.arch).serial
    words = f"rd.systemd.unit=emergency.target systemd.debug_shell={serial} SYSTEMD_SULOGIN_FORCE=1"
    words += " rd.systemd.debug_shell"
    with fresh_machine(kernel_arguments=words, harness_shell=False) as machine:
        machine.start()
        machine.console.expect("There is no root shell", timeout=240)
        mark = machine.console.mark()
        machine.console.send("id\n")  # any answer restarts the machine
        machine.console.expect("There is no root shell", timeout=240, since=mark)
        assert "uid=0(root)" not in machine.console.text


def test_the_boot_entry_has_no_editor(machine: Machine) -> None:
    lines = machine.succeed("mount -o ro /dev/vda1 /mnt && cat /mnt/loader/loader.conf; umount /mnt").splitlines()
    assert {"editor no", "timeout 0", "auto-firmware no"} <= set(lines)


def test_credentials_that_would_let_root_in(fresh_machine: Callable[..., Machine], plan: Plan) -> None:
    serial = Settings(arch=plan.arch).serial
    handed = {
        "tau.user.name": USER.encode(),
        "tau.user.password": PASSWORD.encode(),
        "passwd.hashed-password.root": HASH,
        "passwd.plaintext-password.root": PASSWORD.encode(),
        "passwd.shell.root": b"/bin/bash",
        "sysusers.extra": b'u toor 0 "second root" /root /bin/bash\n',
        "ssh.authorized_keys.root": b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBhZGRpbmdwYWRkaW5n x\n",
        "tmpfiles.extra": b"f /root/from-a-credential 0644 root root - x\n",
        "agetty.autologin": b"root",
        "login.noauth": b"yes",
        f"tty.serial.{serial}.agetty.autologin": b"root",
        f"tty.serial.{serial}.login.noauth": b"yes",
        "firstboot.locale": b"xx_XX",
    }
    with fresh_machine(credentials=handed) as machine:
        assert machine.boot() == "running"
        assert int(machine.succeed("ls /run/credentials/@system | grep -c .")) >= len(handed), "they did not arrive"
        assert machine.succeed("getent shadow root | cut -d: -f2") == "!*"
        assert machine.run("getent passwd toor").status != 0
        assert machine.run("test -e /root/.ssh/authorized_keys || test -e /root/from-a-credential").status != 0
        terminal = Terminal(machine.console)
        assert not terminal.try_log_in("root", PASSWORD)
        assert "root@" not in machine.console.text


def test_nothing_of_ssh_listens_on_a_socket_of_the_virtual_machine(machine: Machine) -> None:
    assert machine.succeed("systemctl list-units --all --no-legend 'sshd-vsock*' 'sshd-unix*'") == ""
    assert machine.succeed("ss --listening --vsock --no-header | wc -l") == "0"
