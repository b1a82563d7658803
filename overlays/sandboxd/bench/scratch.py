"""A machine to measure in, thrown away afterwards: the image, with Flatpak laid over it and the same app for both."""

import json
import tempfile
from pathlib import Path

from overlays.sandboxd.author.tools import Tools
from overlays.sandboxd.bench.packages import Laid
from qemu.errors import MachineError
from qemu.machine import Machine
from qemu.terminal import Terminal

#: The app that is measured, and the one that is started many times: it waits, and has a link to the network.
APP, WAITING = "org.example.bench", "org.example.waits"
#: The same program for both: a shell script that becomes another program, the smallest there is if none is named.
PROGRAM = '#!/bin/sh\n[ $# -gt 0 ] || exec /usr/bin/true\nexec "$@"\n'
#: What is brought into the machine.
PLACE = "/var/lib/tau-bench"
_GUEST = Path(__file__).parent / "guest"
_FLATPAK = (
    # The image's own files come first: of what is laid over it, only what it lacks is seen.
    f"mount -t overlay overlay -o lowerdir=/usr:{PLACE}/usr /usr",
    # Flatpak is run by bubblewrap in a user namespace, which the image keeps from its users.
    "sysctl -q -w kernel.unprivileged_userns_clone=1",
    "ldconfig",
    "systemctl daemon-reload",
    "flatpak --system list",  # makes the system's own installation, without which nothing starts
)


def installed(machine: Machine) -> list[str]:
    """Return the names of the Debian packages that a machine has.

    :raises MachineError: when it does not know.
    """
    answer = machine.run("dpkg-query --show --showformat='${Package}\\n'")
    names = answer.text.split()
    if "libc6" not in names:
        raise MachineError("the machine does not say which packages it has")
    return names


def prepare(machine: Machine, tools: Tools, laid: Laid, arch: str) -> Terminal:
    """Lay Flatpak over a booted machine, log its first user in, and install the app for both; returns the user.

    :raises MachineError: when something is refused.
    """
    _bring(machine, f"mkdir -p {PLACE} && tar -C {PLACE} -xf -", laid.archive.read_bytes())
    for command in _FLATPAK:
        _bring(machine, command)
    for file in (*sorted(_GUEST.iterdir()), None):
        name, data = (file.name, file.read_bytes()) if file else ("app", PROGRAM.encode())
        _bring(machine, f"cat >{PLACE}/{name} && chmod 755 {PLACE}/{name}", data)
    user = machine.terminal()
    user.log_in()
    with tempfile.TemporaryDirectory(prefix="tau-bench-") as folder:
        signer = tools.key(Path(folder), "author")
        for app, permissions in ((APP, []), (WAITING, ["network"])):
            bundle = _bundle(Path(folder), tools, signer, arch, app, permissions)
            path = f"{PLACE}/{app}.raw"
            _bring(machine, f"cat >{path} && chmod 644 {path}", bundle.read_bytes())
            user.succeed(f"tau install --yes {path}", 300)
    # Told once, it warns at each start that a shell which has read its profile knows better.
    user.succeed('export XDG_DATA_DIRS="$HOME/.local/share/flatpak/exports/share:/var/lib/flatpak/exports/share"')
    user.succeed(f"sh {PLACE}/make_flatpak.sh $HOME/flatpak {APP} {PLACE}/app", 300)
    for command in (f"tau run {APP}", f"flatpak run {APP}"):
        user.succeed(command, 300)
    return user


def _bundle(folder: Path, tools: Tools, signer: tuple[Path, Path], arch: str, app: str, permissions: list[str]) -> Path:
    """Pack an app.

    :raises MachineError: when it can't be packed.
    """
    source, target = folder / app, folder / f"{app}.raw"
    (source / "bin").mkdir(parents=True)
    program = source / "bin" / app.rpartition(".")[2]  # where it is looked for if the manifest names none
    program.write_text(PROGRAM)
    program.chmod(0o755)
    manifest = {"id": app, "permissions": permissions, "version": "1"}
    (source / "manifest.tau").write_text(json.dumps(manifest))
    key, certificate = signer
    done = tools.tau("pack", source, "--key", key, "--certificate", certificate, "--output", target, "--arch", arch)
    if done.returncode != 0:
        raise MachineError(f"the app can't be packed: {done.stderr.strip()}")
    return target


def _bring(machine: Machine, command: str, data: bytes = b"") -> None:
    """Run a command that takes what is brought on its standard input.

    :raises MachineError: when it fails.
    """
    answer = machine.run(command, 300, data)
    if answer.status != 0:
        raise MachineError(f"{command!r}: {answer.stderr.decode(errors='replace').strip()}")
