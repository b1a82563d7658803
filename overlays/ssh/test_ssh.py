"""ssh by its effects: off unless asked for; keys alone, never root; a key of the host's own; locked homes say so."""

from collections.abc import Iterator

import pytest

from image.plan import Plan
from qemu.machine import Machine
from qemu.plugin import AUTHORIZED_KEY
from qemu.shell import Answer
from qemu.terminal import USER, Terminal

KEYS = "/var/lib/tau/ssh/authorized_keys.d"


def option(plan: Plan, name: str) -> object:
    return next(overlay for overlay in plan.overlays if overlay.name == "ssh").options[name]


def client(command: str, user: str = USER, *options: str, key: str = "/run/client") -> str:
    """Return the command line that runs a command over ssh from the machine to itself."""
    usual = (
        f"-i {key} -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=20 "
        "-o UserKnownHostsFile=/run/known -o StrictHostKeyChecking=accept-new"
    )
    return f"ssh {' '.join(options)} {usual} {user}@127.0.0.1 '{command}' </dev/null"


def ssh(machine: Machine, command: str, user: str = USER, *options: str, key: str = "/run/client") -> Answer:
    """Run a command over ssh from the machine to itself, by default with a key whose owner may log in."""
    return machine.run(client(command, user, *options, key=key), 120)


@pytest.fixture
def server(machine: Machine) -> Iterator[Machine]:
    """The shared machine with the server running, and a client's key that may log in (root's, too, by the file)."""
    machine.succeed("systemctl start ssh && systemctl is-active ssh")
    machine.succeed("test -e /run/client || ssh-keygen -q -t ed25519 -N '' -f /run/client")
    for user in (USER, "root"):
        machine.succeed(f"cp /run/client.pub {KEYS}/{user}")
    yield machine
    machine.succeed(f"rm -f {KEYS}/*")


@pytest.mark.row(2)
def test_it_listens_only_where_it_was_asked_for(machine: Machine, plan: Plan) -> None:
    listening = machine.run(f"ss -Hltn 'sport = :{option(plan, 'port')}'").text
    assert bool(listening) == option(plan, "enable")
    opened = machine.run("cat /usr/lib/tau/firewall.d/*ssh.nft 2>/dev/null").text
    assert ("accept" in opened) == option(plan, "enable")


@pytest.mark.row(3)
@pytest.mark.destructive
def test_a_key_lets_its_user_in_and_never_root(server: Machine) -> None:
    assert ssh(server, "id -un").text == USER
    answer = ssh(server, "id", "root")
    assert answer.status == 255 and b"Permission denied (publickey)" in answer.stderr


@pytest.mark.row(3)
@pytest.mark.destructive
def test_no_password_and_no_other_key(server: Machine) -> None:
    answer = ssh(server, "id", USER, "-o PubkeyAuthentication=no", "-o PreferredAuthentications=password")
    assert answer.status == 255 and b"Permission denied (publickey)" in answer.stderr
    server.succeed("ssh-keygen -q -t ed25519 -N '' -f /run/other")
    assert ssh(server, "id", key="/run/other").status == 255
    assert ssh(server, "id").status == 0
    server.succeed(f"cp /run/other.pub {KEYS}/{USER}")
    assert ssh(server, "id", key="/run/other").status == 0
    assert ssh(server, "id").status == 255


@pytest.mark.row(5)
@pytest.mark.destructive
def test_a_session_of_the_server_is_without_pam_fscrypt(server: Machine) -> None:
    """sshd forks amid the session, and Go does not survive a fork: now and then a login would hang."""
    server.succeed(f"({client('sleep 3011')} >/dev/null 2>&1 &)")
    server.wait_until(f"pgrep -u {USER} -fx 'sleep 3011'", 60)
    # The control first: the monitor and the user's process.
    for module, expected in (("pam_systemd", 2), ("pam_fscrypt", 0)):
        count = f"for each in $(pgrep sshd-session); do grep -m 1 {module} /proc/$each/maps; done | wc -l"
        assert int(server.succeed(count)) == expected


@pytest.mark.row(3)
@pytest.mark.destructive
def test_a_key_in_the_home_is_none(server: Machine, terminal: Terminal) -> None:
    terminal.log_in()
    server.succeed(f"install -d -o {USER} -g {USER} -m 0700 /home/{USER}/.ssh")
    server.succeed(f"install -o {USER} -g {USER} -m 0600 /run/client.pub /home/{USER}/.ssh/authorized_keys")
    server.succeed(f"rm {KEYS}/{USER}")
    assert ssh(server, "id").status == 255
    server.succeed(f"cp /run/client.pub {KEYS}/{USER}")
    assert ssh(server, "id").status == 0


@pytest.mark.row(2)
@pytest.mark.destructive
@pytest.mark.parametrize(
    "option_",
    [
        "KexAlgorithms=diffie-hellman-group14-sha256",
        "KexAlgorithms=ecdh-sha2-nistp256",
        "Ciphers=aes128-ctr",
        "HostKeyAlgorithms=rsa-sha2-512",
    ],
)
def test_an_old_algorithm_is_refused(server: Machine, option_: str) -> None:
    answer = ssh(server, "id", USER, f"-o {option_}")
    assert answer.status == 255 and b"no matching" in answer.stderr


@pytest.mark.row(2)
@pytest.mark.destructive
def test_nothing_is_forwarded(server: Machine, plan: Plan) -> None:
    expected = 0 if option(plan, "forwarding") else 255
    assert ssh(server, "", USER, f"-W 127.0.0.1:{option(plan, 'port')}").status == expected


@pytest.mark.destructive
def test_a_locked_home_says_so(server: Machine, plan: Plan) -> None:
    if "fscrypt" not in {overlay.name for overlay in plan.overlays}:
        pytest.skip("homes are not encrypted in this image")
    answer = ssh(server, "cat ~/.bashrc")
    assert b"Your home is locked" in answer.stderr and answer.status != 0


def test_the_configuration_is_clean(machine: Machine) -> None:
    answer = machine.run("mkdir -p /run/sshd; sshd -t")
    assert answer.status == 0 and answer.stdout + answer.stderr == b""


def test_the_host_key_is_made_on_the_machine(machine: Machine) -> None:
    """No two machines share one, and a second boot keeps it: the platform's checks of whole machines compare them."""
    assert machine.run("ls /etc/ssh/ssh_host*").status != 0
    assert machine.succeed("stat -c '%a %U' /var/lib/tau/ssh/ssh_host_ed25519_key") == "600 root"
    assert machine.succeed("cat /var/lib/tau/ssh/ssh_host_ed25519_key.pub").startswith("ssh-ed25519 ")


@pytest.mark.row(3)
def test_an_unattended_installation_brings_the_first_users_keys(machine: Machine) -> None:
    assert machine.succeed(f"cat {KEYS}/{USER}") == AUTHORIZED_KEY
    assert machine.succeed(f"stat -c '%a %U' {KEYS}/{USER}") == "644 root"
