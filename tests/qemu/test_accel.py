"""KVM is believed only when a guest has run: QEMU's part is played by a shell script."""

import json
import os
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from qemu import accel
from qemu.firmware import Firmware


@dataclass(frozen=True)
class FakeTools:
    """A tools tree whose QEMU is a script that finds its serial file in $serial."""

    script: str
    tree: Path = Path("/nonexistent")

    def command(self, *argv: str, env: object = None) -> list[str]:
        serial = next(word for word in argv if word.startswith("file:") and word.endswith("serial"))[5:]
        return ["sh", "-c", f"serial={shlex.quote(serial)}; {self.script}"]


@pytest.fixture(autouse=True)
def _kvm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: True)
    patience(monkeypatch, silence=4, patience=8)  # machines boot beside these tests


def patience(monkeypatch: pytest.MonkeyPatch, silence: float, patience: float) -> None:
    monkeypatch.setattr(accel, "SILENCE", silence)
    monkeypatch.setattr(accel, "PATIENCE", patience)


def choose(script: str, cache: Path) -> accel.Acceleration:
    firmware = Firmware("/code", "/vars")
    return accel.choose(FakeTools(script), firmware, Path("/image"), os.uname().machine, cache)


TALKS = 'echo "BdsDxe: loading" >"$serial"; sleep 0.3; echo "[    0.000000] Linux version 6.12" >>"$serial"; sleep 60'


@pytest.mark.parametrize(
    ("script", "name", "reason"),
    [
        (TALKS, "kvm", "a guest ran"),
        ('echo "KVM internal error. Suberror: 1" >&2; sleep 60', "tcg", "crashed"),
        ("echo 'ioctl(KVM_CREATE_VM) failed' >&2; exit 1", "tcg", r"ended: ioctl"),
    ],
)
def test_the_answer_is_what_a_guest_did(tmp_path: Path, script: str, name: str, reason: str) -> None:
    chosen = choose(script, tmp_path)
    assert chosen.name == name
    assert reason in chosen.reason


@pytest.mark.parametrize(
    ("script", "limits", "reason"),
    [
        ('echo "BdsDxe: loading" >"$serial"; sleep 60', (1, 60), "silent"),
        ('while :; do echo x >>"$serial"; sleep 0.1; done', (60, 2), "did not get as far"),
    ],
)
def test_a_guest_that_gets_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, limits: tuple[float, float], reason: str
) -> None:
    patience(monkeypatch, *limits)
    chosen = choose(script, tmp_path)
    assert chosen.name == "tcg" and reason in chosen.reason


def test_a_crash_is_seen_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    choose('echo "KVM internal error. Suberror: 1" >&2; sleep 60', tmp_path)
    assert time.monotonic() - started < accel.SILENCE


def test_the_answer_holds_until_the_host_boots_again(tmp_path: Path) -> None:
    assert choose(TALKS, tmp_path).name == "kvm"
    assert choose("exit 1", tmp_path).name == "kvm"
    memory = tmp_path / "kvm.json"
    memory.write_text(json.dumps(json.loads(memory.read_text()) | {"boot": "another"}))
    assert choose("exit 1", tmp_path).name == "tcg"


def test_another_architecture_needs_no_probe(tmp_path: Path) -> None:
    chosen = accel.choose(FakeTools("exit 1"), Firmware("/c", "/v"), Path("/image"), "riscv64", tmp_path)
    assert (chosen.name, (tmp_path / "kvm.json").exists()) == ("tcg", False)
