"""Credentials on their way into a machine: exact, private, and none that systemd would drop without a word."""

import base64
import re
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qemu import credentials
from qemu.errors import MachineError


def carried(argument: str) -> tuple[str, bytes]:
    path = Path(argument.removeprefix("type=11,path=").replace(",,", ","))
    head, _, value = path.read_bytes().partition(b"=")
    return head.decode().removeprefix("io.systemd.credential.binary:"), base64.b64decode(value, validate=True)


def test_each_arrives_as_it_is(tmp_path: Path) -> None:
    given = {"tau.a": b"", "tau.b": bytes(range(256)), "tau.c": b"x" * 100_000}
    arguments = credentials.write(tmp_path / "with,comma", given)
    assert arguments[::2] == ["-smbios"] * 3
    assert dict(carried(argument) for argument in arguments[1::2]) == given


def test_they_are_files_of_the_person_alone(tmp_path: Path) -> None:
    arguments = credentials.write(tmp_path / "c", {"secret": b"hunter2"})
    assert not any("hunter2" in word or base64.b64encode(b"hunter2").decode() in word for word in arguments)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "c", *(tmp_path / "c").iterdir())] == [
        0o700,
        0o600,
    ]


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a/b", "../x", "a\nb", "ä", "a\0", "x" * 300])
def test_a_name_that_systemd_would_drop_is_refused(name: str) -> None:
    with pytest.raises(MachineError, match="can't be the name of a credential"):
        credentials.smbios_string(name, b"")


@given(st.binary(max_size=300))
def test_any_value_survives(value: bytes) -> None:
    text = credentials.smbios_string("x", value)
    assert base64.b64decode(text.partition(b"=")[2], validate=True) == value
    assert b"\0" not in text
    assert b"\n" not in text


def unquote(argument: str) -> str:
    """Undo systemd's quoting of an argument of ExecStart= (systemd.service(5))."""
    assert argument[0] == argument[-1] == '"'
    assert not re.search(r'(?<!\\)(?:\\\\)*"', argument[1:-1]), "a quote ends the argument early"
    for sign in "$%":  # systemd would expand a single one
        assert all(len(run) % 2 == 0 for run in re.findall(rf"\{sign}+", argument)), sign
    doubled = argument[1:-1].replace("$$", "$").replace("%%", "%")
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), doubled)


def test_the_script_of_the_shell_reaches_bash_unchanged() -> None:
    unit = credentials.shell()[f"systemd.extra-unit.{credentials.SHELL_UNIT}"].decode()
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert unquote(line.partition("/bin/bash -c ")[2]) == credentials.guest_script()


def test_the_script_is_bash() -> None:
    done = subprocess.run(["bash", "-n"], input=credentials.guest_script(), text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shell_is_not_for_the_initrd() -> None:
    unit = credentials.shell()[f"systemd.extra-unit.{credentials.SHELL_UNIT}"].decode()
    assert "ConditionPathExists=!/etc/initrd-release" in unit
