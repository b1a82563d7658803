"""The programs that make and check bundles, from the tools tree: the same versions whatever this host has."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from image.toolbox import Toolbox

SOURCE = Path(__file__).parent.parent / "src"


@dataclass(frozen=True)
class Tools:
    """Runs programs with the tools tree's /usr."""

    toolbox: Toolbox

    def run(self, *command: str, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        """Run a program, with our package on its path."""
        argv = self.toolbox.command(*command, env={"PYTHONPATH": str(SOURCE)})
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, umask=umask)
        out, err = (text.decode(errors="backslashreplace") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(argv, done.returncode, out, err)

    def tau(self, *arguments: str | Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        """Run the command `tau`."""
        return self.run("python3", "-m", "tau", *(str(argument) for argument in arguments), umask=umask)

    def key(self, folder: Path, name: str, *options: str, algorithm: str = "rsa:2048") -> tuple[Path, Path]:
        """Make a key and its certificate; valid from now for ten years, unless `options` of openssl-req(1) say else."""
        key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
        command = ["openssl", "req", "-x509", "-newkey", algorithm, "-noenc", "-days", "3650", "-subj", f"/CN={name}"]
        done = self.run(*command, *options, "-keyout", str(key), "-out", str(certificate))
        assert done.returncode == 0, done.stderr
        return key, certificate
