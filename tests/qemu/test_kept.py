"""A kept machine belongs to one image and one set of settings, to one run at a time, and never to CI."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from qemu import kept
from qemu.authority import Authority
from qemu.commandline import Settings
from qemu.errors import MachineError

SETTINGS = Settings(credentials={"tau.doh.ca": b"one"})


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.raw"
    path.write_bytes(b"image")
    return path


def booted(root: Path, image: Path, settings: Settings = SETTINGS) -> Path:
    folder = kept.place(root, image, settings)
    folder.mkdir(parents=True)
    (folder / kept.READY).touch()
    return folder


def test_the_same_image_finds_its_machine(tmp_path: Path, image: Path) -> None:
    folder = booted(tmp_path, image)
    assert kept.place(tmp_path, image, SETTINGS) == folder
    assert (folder / kept.READY).exists()


@pytest.mark.parametrize(
    "other",
    [replace(SETTINGS, memory=4096), replace(SETTINGS, credentials={"tau.doh.ca": b"two"}), Settings(arch="aarch64")],
)
def test_other_settings_take_its_place(tmp_path: Path, image: Path, other: Settings) -> None:
    folder = booted(tmp_path, image)
    assert kept.place(tmp_path, image, other) != folder
    assert not folder.exists()


def test_a_rebuilt_image_takes_its_place(tmp_path: Path, image: Path) -> None:
    folder = booted(tmp_path, image)
    new = image.with_suffix(".new")
    new.write_bytes(b"image")
    os.utime(new, (1, 1))
    new.rename(image)
    assert kept.place(tmp_path, image, SETTINGS) != folder
    assert not folder.exists()


def test_a_boot_that_was_not_finished_is_begun_anew(tmp_path: Path, image: Path) -> None:
    folder = booted(tmp_path, image)
    (folder / kept.READY).unlink()
    assert kept.place(tmp_path, image, SETTINGS) == folder
    assert not folder.exists()


def test_one_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with kept.opened(tmp_path), pytest.raises(MachineError, match="in use by another run"), kept.opened(tmp_path):
        pass
    with kept.opened(tmp_path):
        pass


def test_never_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(MachineError, match="in CI the image is booted"), kept.opened(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()


def test_its_authority_is_kept_with_it(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    first = Authority(kept=path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = Authority(kept=path)
    assert again.pem == first.pem
    chain, _ = again.issue(tmp_path, ["doh.test"])
    assert chain.read_bytes().endswith(first.pem)
    assert Authority().pem != first.pem
