"""AppArmor on the booted system: enforced from the first service on, for whatever listens, and denials are logged."""

import re
import uuid

import pytest
from testinfra.host import Host

from image.plan import Plan

#: The profile of each service, by the overlay that brings it, and the program that it runs.
CONFINED = [
    ("platform", "/usr/lib/systemd/systemd-journald", "systemd-journald"),
    ("platform", "/usr/bin/udevadm", "systemd-udevd"),
    ("platform", "/usr/lib/systemd/systemd-logind", "systemd-logind"),
    ("platform", "/usr/bin/dbus-daemon", "dbus-daemon-system"),
    ("network", "/usr/lib/systemd/systemd-networkd", "systemd-networkd"),
    ("doh", "/usr/sbin/dnscrypt-proxy", "dnscrypt-proxy"),
    ("time", "/usr/sbin/chronyd", "/usr/sbin/chronyd"),
    ("ssh", "/usr/sbin/sshd", "sshd"),
]
#: What each profile must not give: a file that root could read or write without it.
FORBIDDEN = [
    ("systemd-networkd", "cat /etc/shadow"),
    ("systemd-networkd", "ls /home"),
    ("systemd-udevd", "cat /etc/shadow"),
    ("systemd-udevd", "tee /var/lib/tau/by-udev"),
    ("systemd-logind", "cat /etc/shadow"),
    ("systemd-journald", "cat /etc/shadow"),
    ("dbus-daemon-system", "cat /etc/shadow"),
    ("dnscrypt-proxy", "cat /etc/shadow"),
    ("dnscrypt-proxy", "tee /var/lib/tau/by-resolver"),
    ("/usr/sbin/chronyd", "tee /var/lib/tau/by-chronyd"),
    ("sshd", "cat /etc/shadow"),
    ("sshd-auth", "cat /etc/ssh/sshd_config"),
    ("agetty", "cat /etc/shadow"),
]
pytestmark = pytest.mark.row(2)


def labels(host: Host) -> dict[int, tuple[str, str]]:
    """The program and the AppArmor label of every process that has a program."""
    script = (
        "for p in /proc/[0-9]*; do exe=$(readlink $p/exe) || continue;"
        " read -r label <$p/attr/apparmor/current || continue; echo ${p#/proc/} $exe $label; done 2>/dev/null"
    )
    found = {}
    for line in host.check_output(script).splitlines():
        pid, exe, label = line.split(maxsplit=2)
        found[int(pid)] = (exe, label)
    return found


def profiles(host: Host) -> dict[str, str]:
    """The mode of each loaded profile."""
    lines = host.check_output("cat /sys/kernel/security/apparmor/profiles").splitlines()
    return {name: mode.rstrip(")") for name, _, mode in (line.rpartition(" (") for line in lines)}


def test_on(host: Host) -> None:
    """The kernel has AppArmor, and it enforces."""
    assert "apparmor" in host.check_output("cat /sys/kernel/security/lsm").split(",")
    assert host.check_output("cat /sys/module/apparmor/parameters/enabled") == "Y"
    assert host.check_output("cat /sys/module/apparmor/parameters/mode") == "enforce"


def test_policy_fits_this_kernel(host: Host) -> None:
    """The features for which the policy was compiled are the running kernel's. If a new kernel has others, record
    them: the output of this check's own command goes to root/usr/lib/tau/apparmor/kernel-features."""
    folder = f"/run/{uuid.uuid4()}"
    running = host.check_output(
        f"mkdir {folder} && echo 'profile none {{}}' |"
        f" apparmor_parser --skip-kernel-load --write-cache --cache-loc {folder} --add 2>/dev/null;"
        f" cat {folder}/*/.features; rm -r {folder}"
    )
    assert running == host.check_output("cat /usr/lib/tau/apparmor/kernel-features")


def test_nothing_is_compiled_at_boot(host: Host) -> None:
    """Every profile's compiled form is found and current, and apparmor.service had nothing to do."""
    out = host.run("apparmor_parser --show-cache --skip-kernel-load --replace /etc/apparmor.d")
    assert out.rc == 0, out.stderr
    hits = len(re.findall("^Cache hit", out.stderr, re.M))
    files = host.check_output("find /etc/apparmor.d -maxdepth 1 -type f").splitlines()
    assert hits == len(files) > 5, out.stderr
    state = host.check_output("systemctl show apparmor.service -p UnitFileState -p ActiveState -p Result")
    assert set(state.splitlines()) == {"UnitFileState=enabled", "ActiveState=inactive", "Result=exec-condition"}


def test_every_profile_is_loaded_and_enforced(host: Host, plan: Plan) -> None:
    """No profile only complains, none is missing, and none is there for a program that isn't."""
    loaded = profiles(host)
    assert set(loaded.values()) == {"enforce"}, loaded
    present = {overlay.name for overlay in plan.overlays}
    assert {profile for overlay, _, profile in CONFINED if overlay in present} <= set(loaded)
    assert "firefox" not in loaded and "unprivileged_userns" not in loaded


@pytest.mark.parametrize(("overlay", "program", "profile"), CONFINED)
def test_service_is_confined(host: Host, plan: Plan, overlay: str, program: str, profile: str) -> None:
    """Each process of these programs has its profile; journald and udevd too, which start before any other."""
    if overlay not in {part.name for part in plan.overlays}:
        pytest.skip(f"the image has no overlay {overlay}")
    # sshd runs only where the option of its overlay says so, and is confined wherever it is started.
    off = overlay == "ssh" and not host.service("ssh").is_running
    if off:
        host.check_output("systemctl start ssh.service")
    try:
        found = [label for exe, label in labels(host).values() if exe == program]
    finally:
        if off:
            host.check_output("systemctl stop ssh.service")
    assert found and set(found) == {f"{profile} (enforce)"}, found


def test_login_prompt_is_confined(host: Host) -> None:
    """By its path, whatever starts it. There may be none yet: without a user the console asks for the first one."""
    host.run("systemd-run --unit=tau-check-prompt --property=TTYPath=/dev/tty9 agetty --skip-login tty9")
    try:
        found = [label for exe, label in labels(host).values() if exe == "/usr/sbin/agetty"]
    finally:
        host.run("systemctl stop tau-check-prompt.service; systemctl reset-failed tau-check-prompt.service")
    assert found and set(found) == {"agetty (enforce)"}, found


def test_no_unconfined_process_listens(host: Host) -> None:
    """Whatever a packet can reach is confined. Nor is it PID 1, which is not: no sockets held for a service.

    But for the one where apps ask for names: nothing but an app's link leads there (overlay sandboxd, network.nft).
    """
    output = host.check_output("ss -Hlntup; ss -Hlwp; ss -Hl0p; ss -Hlp --vsock; ss -Hlp --sctp 2>/dev/null || true")
    output = "".join(line for line in output.splitlines(keepends=True) if " 198.18.0.1:53 " not in line)
    known = labels(host)
    listening = {int(pid) for pid in re.findall(r"pid=([0-9]+)", output)}
    loose = {pid: known.get(pid) for pid in listening if not known.get(pid, ("", ""))[1].endswith("(enforce)")}
    assert not loose, f"{loose}\n{output}"


def test_no_unconfined_service_listens_locally(host: Host) -> None:
    """The same for sockets of the file system, which every local user reaches. PID 1 holds those of its own."""
    known = labels(host)
    loose = {}
    for line in host.check_output("ss -Hlxp").splitlines():
        pids = {int(pid) for pid in re.findall(r"pid=([0-9]+)", line)} - {1}
        # What runs as a person is that person's; their sandboxed apps are another overlay's.
        pids = {pid for pid in pids if int(host.run(f"stat -c %u /proc/{pid}").stdout or 0) < 1000}
        loose |= {pid: line for pid in pids if not known.get(pid, ("", ""))[1].endswith("(enforce)")}
    assert not loose


@pytest.mark.parametrize(("profile", "command"), FORBIDDEN)
def test_denied_and_logged(host: Host, profile: str, command: str) -> None:
    """What a profile does not allow fails for root too, and the journal tells who wanted what."""
    if profile not in profiles(host):
        pytest.skip(f"the image has no profile {profile}")
    assert host.run(f"{command} </dev/null").rc == 0
    cursor = host.check_output("journalctl -n 0 --show-cursor").rpartition("-- cursor: ")[2]
    result = host.run(f"aa-exec -p {profile} -- {command} </dev/null")
    assert result.rc != 0, result.stdout
    wanted = command.split()[1]
    pattern = f'apparmor="DENIED".*profile="{profile}" name="{wanted}'
    search = f"journalctl --after-cursor '{cursor}' -o cat -t audit -g '{pattern}'"
    found = host.run(f"for i in 1 2 3 4 5 6 7 8 9 10; do {search} && exit; sleep 0.5; done; exit 1")
    assert found.rc == 0, f"no denial in the journal: {result.stderr}"


def test_profile_still_allows(host: Host) -> None:
    """The other side of the check above: the same program, under the same profile, reads what it may."""
    assert host.run("aa-exec -p systemd-udevd -- cat /etc/udev/udev.conf").rc == 0
    assert host.run("aa-exec -p systemd-networkd -- cat /etc/machine-id").rc == 0


def test_no_denials_in_normal_operation(host: Host) -> None:
    """From power-on until the boot was complete nothing was denied, but PID 1's own question for a profile."""
    done = host.check_output("systemctl show --value -p FinishTimestamp")
    assert done, "the boot is not complete"
    log = host.check_output(f"journalctl -b --until '{done}' -o cat -t audit -g 'apparmor=\"DENIED\"' || true")
    denied = [
        line
        for line in log.splitlines()
        # systemd asks for a profile "systemd" for itself and goes on without one (src/core/apparmor-setup.c).
        if 'operation="change_profile"' not in line or 'name="systemd"' not in line
    ]
    assert not denied, "\n".join(denied)
