"""A sample app that bundles a program of Debian's as it is: by its user's consent, and in a pipe like any command."""

import base64
import io
import math
import re
import struct
import wave
from collections.abc import Callable

import pytest

from overlays.sandboxd.conftest import decisions
from overlays.sandboxd.test_files import asked
from qemu.machine import Machine
from qemu.terminal import Terminal

pytestmark = [pytest.mark.row(7), pytest.mark.destructive, pytest.mark.xdist_group("apps")]

MEDIA = "org.tauos.media"
CONVERT, BACK = f"tau run {MEDIA}", f"tau run {MEDIA} --decode"
DENIED = "you have not allowed your files to be read"


def tone() -> bytes:
    """A second of the tone A in two channels, as a WAV file."""
    pairs = ((round(16000 * math.sin(2 * math.pi * 440 * i / 8000)), i % 251 - 125) for i in range(8000))
    file = io.BytesIO()
    with wave.open(file, "wb") as made:
        made.setparams((2, 2, 8000, 0, "NONE", ""))
        made.writeframes(b"".join(struct.pack("<hh", *pair) for pair in pairs))
    return file.getvalue()


def sound(machine: Machine, path: str) -> tuple[tuple[int, int, int], bytes]:
    """Channels, bytes a sample, samples a second, and the samples of a WAV file on the machine."""
    with wave.open(io.BytesIO(base64.b64decode(machine.succeed(f"base64 {path}")))) as file:
        return file.getparams()[:3], file.readframes(file.getnframes())


def test_a_media_converter(user: Terminal, machine: Machine, sample: Callable[[str], str]) -> None:
    """Asked, denied, granted, with files that it may not read, revoked live, removed; each said in words."""
    user.succeed(f"tau install --yes {sample(MEDIA)}; mkdir ~/Music", 120)
    machine.run("cat >/var/tmp/tone.wav", stdin=tone())
    user.succeed("for f in Music/song Music/.hidden song; do cp /var/tmp/tone.wav ~/$f.wav; done")
    convert = f"{CONVERT} ~/Music/song.wav >/tmp/song.flac"
    status, shown = user.run(convert, 120, asked(("Videos folders", "n")))
    assert status == 1 and DENIED in shown and machine.succeed("stat -c %s /tmp/song.flac") == "0"
    assert user.run(convert, 120, asked(("Videos folders", "a")))[0] == 0
    assert machine.succeed("head -c 4 /tmp/song.flac") == "fLaC"
    assert decisions(user, MEDIA) == {"filesystem:ro": "allowed always"}
    user.succeed(f"cp /tmp/song.flac ~/Music; cd ~/Music; {BACK} song.flac >/tmp/back.wav", 120)
    assert sound(machine, "/tmp/back.wav") == sound(machine, "/var/tmp/tone.wav")
    # Nothing is left of it in its home.
    assert user.succeed(f"find ~/.local/share/tau/{MEDIA} -type f") == ""

    for path in ("Music/.hidden.wav", "song.wav"):
        status, shown = user.run(f"{CONVERT} ~/{path} >/tmp/out", 120)
        assert status == 1 and f"/{path.rpartition('/')[2]}: is not there, is hidden, or lies outside" in shown
        assert machine.succeed("stat -c %s /tmp/out") == "0"
        # What its user hands over it converts, wherever it comes from.
        user.succeed(f"{CONVERT} - <~/{path} | cmp - /tmp/song.flac", 120)
    assert user.run(f"{CONVERT} - </etc/os-release >/tmp/out", 120)[0] == 1, "it converts anything"

    # Revoked while it waits for the rest of a file that it has open: that stays open, and so its user has it ended.
    user.succeed("mkfifo ~/Music/slow.wav", 60)
    user.succeed(f"{CONVERT} ~/Music/slow.wav >/tmp/out </dev/null & exec 9>~/Music/slow.wav", 120)
    shown = user.succeed(f"tau permissions deny {MEDIA} filesystem:ro --stop; wait $!; echo it-gave-$?", 120)
    assert f"{MEDIA} runs. It can open nothing more" in shown and re.search("it-gave-(1|143)$", shown, re.MULTILINE)
    assert machine.succeed("stat -c %s /tmp/out") == "0"
    status, shown = user.run(convert, 120)
    assert status == 1 and DENIED in shown
    piped = f"cat ~/Music/song.wav | {CONVERT} - | {BACK} - | cat >/tmp/piped.wav"
    user.succeed(piped, 120)
    assert sound(machine, "/tmp/piped.wav") == sound(machine, "/var/tmp/tone.wav")
    user.succeed(f"tau remove {MEDIA}", 60)
    status, shown = user.run(convert, 60)
    assert status == 125 and f"{MEDIA}: is not installed" in shown
