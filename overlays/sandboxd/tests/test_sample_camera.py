"""The sample app that takes a picture: what it says when it can't. (That it can is seen on the image.)"""

import os
import runpy
import sys
from pathlib import Path

import pytest

from overlays.sandboxd.author.samples import SAMPLES

DEVICE = "/dev/video0"


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel lets nobody at the camera."""
    opened = os.open

    def refuse(path: str, *arguments: int) -> int:
        if path == DEVICE:
            raise PermissionError(13, "Permission denied", DEVICE)
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)


def said(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What it ends with."""
    monkeypatch.setattr(sys, "argv", ["camera", *arguments])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(SAMPLES / "org.tauos.camera/bin/camera"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            1,
            "you have not allowed the camera\ncamera: what changes that: tau permissions grant org.tauos.camera camera",
        ),
        (0, "you may not use /dev/video0 yourself, and so your apps may not"),
    ],
)
@pytest.mark.usefixtures("refused")
def test_a_camera_that_may_not_be_used(
    status: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its user has not allowed it, or may not use it themselves: `tau request` knows."""
    tau = tmp_path / "tau"
    tau.write_text(f'#!/bin/sh\n[ "$*" = "request camera" ] && exit {status}\nexit 9\n')
    tau.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("TAU_APP", "org.tauos.camera")
    assert said(monkeypatch) == f"camera: {words}"


@pytest.mark.usefixtures("refused")
def test_outside_of_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAU_APP", raising=False)
    assert said(monkeypatch) == f"camera: {DEVICE}: Permission denied"


def test_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, "--device", "/dev/none") == "camera: /dev/none: No such file or directory"
