"""What an author and a user of apps see on the image."""

import pytest

from qemu.machine import Machine

pytestmark = [pytest.mark.row(11), pytest.mark.xdist_group("apps")]

SEED = '{"id": "org.tauos.media", "permissions": ["network", "camera", "microphone", "filesystem:ro"]}'


def check(machine: Machine, manifest: str, before: str = "") -> str:
    """Both outputs and the exit status of `tau manifest check`, as a user without any right."""
    file = "/run/manifest.tau"
    answer = machine.run(f"cat >{file}", stdin=manifest.encode())
    assert answer.status == 0
    return machine.succeed(f"{before} setpriv --reuid=65534 --clear-groups tau manifest check {file} 2>&1; echo $?")


def test_the_seeds_manifest_is_taken_as_it_stands(machine: Machine) -> None:
    assert check(machine, SEED) == "/run/manifest.tau: no findings\n0"


def test_a_malformed_manifest_is_refused_with_line_and_reason(machine: Machine) -> None:
    assert check(machine, '{\n "id": "org.tauos.media",\n "permissions": ["netwrok"],\n}') == (
        '/run/manifest.tau:4:1: expected a key in double quotes, found "}"; remove the comma before it\n1'
    )
    assert check(machine, '{\n "id": "org.tauos.media",\n "permissions": ["netwrok"]}') == (
        '/run/manifest.tau:3:18: permissions[0]: "netwrok" is not a permission; did you mean "network"?\n1'
    )


def test_what_a_user_has_set_does_not_change_the_command(machine: Machine) -> None:
    """A module of the same name beside the caller, or on PYTHONPATH, would run in its place."""
    machine.succeed(
        "mkdir -p /run/evil/tau && echo 'print(\"evil\")' | tee /run/evil/json.py >/run/evil/tau/__init__.py"
    )
    before = "cd /run/evil; PYTHONPATH=/run/evil PYTHONSTARTUP=/run/evil/json.py"
    assert machine.succeed("cd /run/evil; PYTHONPATH=/run/evil python3 -c 'import tau'") == "evil", "no control"
    assert check(machine, SEED, before) == "/run/manifest.tau: no findings\n0"


def test_it_is_compiled_once_and_for_all(machine: Machine) -> None:
    """The root is read-only: what is not compiled in the image is compiled at each start."""
    said = machine.succeed("python3 -I -S -v /usr/bin/tau manifest schema 2>&1 >/dev/null").splitlines()
    ours = [line for line in said if "/usr/lib/tau/python/" in line]
    assert len([line for line in ours if "matches" in line]) >= 5
    assert [line for line in ours if "code object from /" in line] == []
