"""System credentials over SMBIOS, the way a person or an installer hands them to the image.

systemd reads SMBIOS type 11 strings `io.systemd.credential.binary:NAME=BASE64`
(systemd.system-credentials(7), https://systemd.io/CREDENTIALS/). Nothing is written to the image.
"""

import base64
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from qemu.errors import MachineError

SHELL_UNIT = "tau-test-shell.service"
SHELL_PORT = "org.tauos.test.shell"

# A credential's name is a file name to systemd; anything else would be dropped without a word.
_NAME = re.compile(r"[A-Za-z0-9_.@:\-]{1,200}")

_UNIT = """\
[Unit]
Description=Shell of the test harness, brought by a credential
# Early, so that a boot that hangs can be looked at; not in the initrd, where it would die at switch-root.
DefaultDependencies=no
ConditionPathExists=!/etc/initrd-release
IgnoreOnIsolate=yes
StartLimitIntervalSec=0

[Service]
ExecStart=/bin/bash -c {script}
StandardInput=null
StandardOutput=null
StandardError=journal
Restart=always
RestartSec=1
OOMScoreAdjust=-1000
TasksMax=infinity
LimitCORE=0
"""

_WANTS = f"[Unit]\nWants={SHELL_UNIT}\n"


def _unit_quote(text: str) -> str:
    """Quote a text as one argument of ExecStart= (systemd.service(5), "Command lines")."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return '"' + escaped.replace("\n", "\\n") + '"'


def guest_script() -> str:
    """The guest end of the shell: bash and coreutils only, comments left out to keep the credential small."""
    text = (resources.files("qemu") / "guest_shell.sh").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")) + "\n"


def shell() -> dict[str, bytes]:
    """The credentials that start the harness's root shell in the booted system."""
    unit = _UNIT.format(script=_unit_quote(guest_script()))
    wanted_by = ("sysinit.target", "emergency.target", "rescue.target")
    return {
        f"systemd.extra-unit.{SHELL_UNIT}": unit.encode(),
        **{f"systemd.unit-dropin.{target}~50-tau-test-shell": _WANTS.encode() for target in wanted_by},
    }


def crashes() -> dict[str, bytes]:
    """The credential that makes the kernel tell of every program that crashes, for the deny-list to see.

    On x86_64 it does so by itself; on aarch64 only when asked (arch/arm64/kernel/traps.c, show_unhandled_signals).
    """
    return {"sysctl.extra": b"debug.exception-trace = 1\n"}


def smbios_string(name: str, value: bytes) -> bytes:
    """One SMBIOS type 11 string.

    Raises:
        MachineError: systemd would not accept the name.
    """
    if not _NAME.fullmatch(name.replace("~", "-")):
        raise MachineError(f"{name!r} can't be the name of a credential")
    return b"io.systemd.credential.binary:" + name.encode() + b"=" + base64.b64encode(value)


def write(folder: Path, credentials: Mapping[str, bytes]) -> list[str]:
    """Write each credential to a file of its own, mode 0600, and return QEMU's arguments for them.

    Files rather than arguments: a command line is limited in length and seen by every process of the host.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    arguments: list[str] = []
    for number, (name, value) in enumerate(sorted(credentials.items())):
        path = folder / f"{number:02}.smbios"
        path.write_bytes(smbios_string(name, value))
        path.chmod(0o600)
        arguments += ["-smbios", f"type=11,path={str(path).replace(',', ',,')}"]
    return arguments
