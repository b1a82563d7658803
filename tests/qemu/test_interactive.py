"""A machine for a person: the console is theirs, and the harness holds nothing."""

from pathlib import Path

import pytest

from image.findings import FindingsError
from qemu.accel import Acceleration
from qemu.commandline import Files, Settings, build
from qemu.firmware import Firmware
from qemu.interactive import boot


def test_a_person_has_the_serial_line_and_the_harness_nothing() -> None:
    settings = Settings(interactive=True)
    words = build(settings, Files(Path("/m")), Path("/i"), Firmware("/c", "/v"), Acceleration("tcg", ""), "user")
    text = " ".join(words)
    assert "-serial mon:stdio" in text and "-netdev user,id=net" in text
    assert not any(word in text for word in ("-qmp", "virtserialport", "server=on", "filter-dump"))


def test_booting_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="there is no such image"):
        boot(tmp_path, tmp_path / "missing.raw")
