"""Who has privilege on the booted system: files that give it, services and sessions that hold it, each stated."""

import fnmatch
import re

import pytest
from testinfra.host import Host

#: The shell of these checks is brought by a credential and is no part of the image.
OUR_SHELL = "tau-test-shell.service"

pytestmark = pytest.mark.row(1)


@pytest.mark.row(13)
def test_setuid_and_setgid_files_are_the_stated_ones(host: Host) -> None:
    """Each with its mode, and none more: in the image, in what the system writes, and in homes."""
    stated = {}
    for line in host.check_output("cat /usr/lib/tau/hardening/privileged-files").splitlines():
        if line and not line.startswith("#"):
            path, mode, reason = line.split(maxsplit=2)
            assert len(reason) > 20
            stated[path] = mode
    places = "/ /etc /var /home /tmp /run /dev/shm"
    found = host.check_output(f"find {places} -xdev -type f -perm /6000 -printf '%p %m\\n'").splitlines()
    assert {path: stated.get(path) for path in dict(line.split() for line in found)} == dict(
        line.split() for line in found
    )
    assert any(line.startswith("/usr/bin/sudo ") for line in found) or not host.package("sudo").is_installed


@pytest.mark.row(13)
def test_no_file_has_capabilities(host: Host) -> None:
    """The other way to privilege that a file can carry."""
    assert host.check_output("getcap -r / 2>/dev/null") == ""


def root_units(host: Host) -> dict[str, tuple[str, str]]:
    """The stated exceptions: unit (a pattern), highest exposure, reason."""
    stated = {}
    for line in host.check_output("cat /usr/lib/tau/root-units.d/*.conf").splitlines():
        if line and not line.startswith("#"):
            unit, exposure, reason = line.split(maxsplit=2)
            stated[unit] = (exposure, reason)
    return stated


def stated_for(unit: str, stated: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    """The exception for a unit; one for getty@.service is for each of its instances."""
    for pattern, value in stated.items():
        if fnmatch.fnmatchcase(unit, pattern.replace("@.", "@*.")):
            return value
    return None


@pytest.mark.row(13)
def test_services_run_as_ordinary_users_without_privilege(host: Host) -> None:
    """No process of a service is root's or has a capability, unless its unit is stated with a reason."""
    script = (
        "for p in /proc/[0-9]*; do readlink -q $p/exe >/dev/null || continue;"
        " echo $(sed -n 's/^Uid:\\s*\\([0-9]*\\).*/\\1/p; s/^CapEff://p' $p/status) $(<$p/cgroup); done 2>/dev/null; :"
    )
    stated, loose, seen = root_units(host), set(), 0
    for line in host.check_output(script).splitlines():
        uid, capabilities, cgroup = line.split(maxsplit=2)
        units = [part for part in cgroup.split("/") if part.endswith(".service")]
        if not cgroup.startswith("0::/system.slice/") or not units or units[0] == OUR_SHELL:
            continue
        seen += 1
        if (uid == "0" or int(capabilities, 16) != 0) and not stated_for(units[0], stated):
            loose.add(f"{units[0]}: uid {uid}, capabilities {capabilities}")
    assert seen > 4 and loose == set()
    assert all(len(reason) > 20 for _, reason in stated.values())


@pytest.mark.row(13)
def test_sessions_are_the_user_s(host: Host) -> None:
    """In the slice of a user nothing is root's but what opened the session, and sudo."""
    script = (
        "for p in $(cat /sys/fs/cgroup/user.slice/cgroup.procs $(find /sys/fs/cgroup/user.slice -name cgroup.procs));"
        " do [[ $(stat -c %u /proc/$p) == 0 ]] && readlink /proc/$p/exe; done 2>/dev/null; true"
    )
    allowed = {
        "/usr/bin/login",
        "/usr/bin/sudo",
        "/usr/lib/openssh/sshd-session",
        "/usr/lib/systemd/systemd-executor",  # (sd-pam), which holds the session of a user's manager open
    }
    assert set(host.check_output(script).split()) <= allowed


def test_exposure_of_the_project_s_own_units(host: Host) -> None:
    """Under 2.0, or stated with its score and reason (systemd-analyze security: 0 is best, 10 worst)."""
    listed = host.check_output("systemctl list-unit-files --no-legend 'tau-*.service' | cut -d' ' -f1").split()
    stated, wrong = root_units(host), []
    for unit in listed:
        if unit == OUR_SHELL:
            continue
        name = unit.replace("@.", "@check.")
        text = host.run(f"systemd-analyze security --no-pager {name}").stdout
        score = float(re.findall(r"exposure level for .*: ([0-9.]+)", text)[0])
        limit = stated_for(unit, stated)
        if score >= 2.0 and (not limit or limit[0] == "-" or score > float(limit[0])):
            wrong.append(f"{unit}: {score}")
    assert wrong == []


def test_system_bus_is_confined_by_its_unit(host: Host) -> None:
    """A service of Debian's that this overlay narrows down: no new privilege, and a file system to read."""
    pid = host.check_output("systemctl show --value -p MainPID dbus.service")
    status = host.check_output(f"grep -E '^(NoNewPrivs|Seccomp):' /proc/{pid}/status")
    assert status.split() == ["NoNewPrivs:", "1", "Seccomp:", "2"]
    assert "ro," in host.check_output(f"nsenter -t {pid} -m findmnt -no OPTIONS /var") + ","
