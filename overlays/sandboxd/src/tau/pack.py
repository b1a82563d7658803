"""From an app's folder to its bundle: a signed discoverable disk image, made by systemd-repart.

GPT, erofs, dm-verity and a PKCS#7 signature of the root hash: no format and no cryptography of ours
(https://uapi-group.org/specifications/specs/discoverable_disk_image/). The same folder, key and systemd-repart give
the same bytes.
"""

import os
import re
import shutil
import string
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from tau.gpt import CERTIFICATE_PARTITION
from tau.manifest import Manifest
from tau.staging import StagingError, program_problem, stage

#: The architectures of bundles, as uname(1) calls them, with systemd's names of them (systemd.unit(5)).
ARCHITECTURES = {"x86_64": "x86-64", "aarch64": "arm64"}
#: The programs that make a bundle, with the Debian package of each.
TOOLS = {"systemd-repart": "systemd-repart", "mkfs.erofs": "erofs-utils", "openssl": "openssl"}
#: Oldest systemd-repart that knows what is asked of it (--copy-source=, Minimize= of erofs).
OLDEST_REPART = 255
_BLOCK = 4096
#: Namespace of the seeds, from which systemd-repart derives the partitions' UUIDs (RFC 9562, version 5).
_SEEDS = uuid.UUID("0c5b8c1e-8a0e-4f0e-9f5b-3e6a3f1d7c52")
#: What `lz4hc` costs in time it saves in space; every kernel with erofs reads it (mkfs.erofs(1)). All files are
#: root's, and all as old as the epoch: the author's user and clock are nobody's business.
_MKFS_OPTIONS = "--all-root -T0 -zlz4hc,12 --quiet"


class PackError(Exception):
    """Why there is no bundle, for the author."""


@dataclass(frozen=True)
class Signer:
    """An author's key and certificate, as PEM files."""

    key: Path
    certificate: Path


def bundle_name(manifest: Manifest, architecture: str) -> str:
    """Return the file name of an app's bundle."""
    return f"{manifest.id}_{manifest.version}_{architecture}.raw"


def pack(folder: Path, manifest: Manifest, signer: Signer, architecture: str, target: Path) -> None:
    """Make a bundle. `target` is replaced when the new one is complete, and else left as it was.

    :param manifest: what the folder's manifest.tau says.
    :param architecture: of the programs in it, a key of :data:`ARCHITECTURES`.
    :raises PackError: when the folder, the key or this host won't do.
    """
    check_tools()
    check_signer(signer)
    if target.parent.resolve().is_relative_to(folder.resolve()):
        raise PackError(f"{target}: would lie in the folder that is packed; name another place with --output")
    try:
        with tempfile.TemporaryDirectory(prefix=".tau-pack-", dir=target.parent) as work:
            staged = Path(work, "app")
            stage(folder, staged)
            if problem := program_problem(staged, manifest.command[0]):
                raise PackError(f"{folder / manifest.command[0]}: {problem}; it is the program that the manifest names")
            image = Path(work, "bundle.raw")
            _run_repart(staged, manifest, signer, architecture, image)
            image.chmod(0o644)
            image.replace(target)
    except StagingError as error:
        raise PackError("\n".join(f"{folder}/{line}" for line in str(error).splitlines())) from None
    except OSError as error:
        raise PackError(f"{error.filename or target}: {error.strerror}") from None


def check_tools() -> None:
    """Look for the programs.

    :raises PackError: with those that this host lacks, and where to get them.
    """
    missing = [name for name in TOOLS if _which(name) is None]
    if missing:
        packages = " ".join(TOOLS[name] for name in missing)
        raise PackError(f"{', '.join(missing)} not found\n    sudo apt-get install {packages}")
    said = _run("systemd-repart", "--version").stdout
    version = re.search(r"systemd (\d+)", said)
    if not version or int(version[1]) < OLDEST_REPART:
        found = version[1] if version else "unknown"
        raise PackError(f"systemd-repart is of version {found}; {OLDEST_REPART} or later is needed (Debian 13 has it)")


def check_signer(signer: Signer) -> None:
    """Look whether the key is one that can sign, and whether the certificate is its own and still valid.

    :raises PackError: when it is not.
    """
    public = _openssl("pkey", "-in", str(signer.key), "-pubout", about=signer.key)
    certified = _openssl("x509", "-in", str(signer.certificate), "-noout", "-pubkey", about=signer.certificate)
    if public != certified:
        raise PackError(f"{signer.certificate}: is the certificate of another key than {signer.key}")
    if "rsaEncryption" not in _openssl("x509", "-in", str(signer.certificate), "-noout", "-text", about=signer.key):
        # An ECDSA signature holds a random number: no two bundles would be alike.
        raise PackError(f"{signer.key}: is not an RSA key, and only RSA signs the same bytes twice")
    if _run("openssl", "x509", "-in", str(signer.certificate), "-noout", "-checkend", "0").returncode:
        raise PackError(f"{signer.certificate}: has expired")


def _run_repart(staged: Path, manifest: Manifest, signer: Signer, architecture: str, image: Path) -> None:
    seed = uuid.uuid5(_SEEDS, f"{manifest.id} {manifest.version} {architecture}")
    done = _run(
        "systemd-repart",
        f"--definitions={_definitions(image.parent, signer)}",
        f"--copy-source={staged}",
        f"--architecture={ARCHITECTURES[architecture]}",
        f"--private-key={signer.key.resolve()}",
        f"--certificate={signer.certificate.resolve()}",
        f"--seed={seed}",
        "--empty=create",
        "--size=auto",
        "--dry-run=no",
        "--offline=yes",
        str(image),
    )
    # A setting that it can't use is a warning only: the bundle would lack what it was for.
    if done.returncode or "ignoring" in done.stderr:
        raise PackError(f"systemd-repart failed:\n{_indented(done.stderr)}")


def _definitions(work: Path, signer: Signer) -> Path:
    """Write the partitions' definitions, with the certificate's, into a folder of their own."""
    certificate = work.resolve() / "certificate"
    content = signer.certificate.read_bytes()
    certificate.write_bytes(content + b"\n" * (-len(content) % _BLOCK))
    folder = work / "repart.d"
    shutil.copytree(Path(__file__).with_name("repart"), folder)
    template = folder / "40-certificate.conf.in"
    path = str(certificate).replace("%", "%%")  # which begins a specifier there
    text = string.Template(template.read_text()).substitute(type=CERTIFICATE_PARTITION, certificate=path)
    template.with_suffix("").write_text(text)
    template.unlink()
    return folder


def _openssl(*arguments: str, about: Path) -> str:
    done = _run("openssl", *arguments)
    if done.returncode:
        reason = "can't be read" if not os.access(about, os.R_OK) else "is not what openssl can use"
        raise PackError(f"{about}: {reason}:\n{_indented(done.stderr)}")
    return done.stdout


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "0",
        "SYSTEMD_LOG_COLOR": "0",
        "SYSTEMD_REPART_MKFS_OPTIONS_EROFS": _MKFS_OPTIONS,
        "PATH": _path(),
    }
    command = [_which(program) or program, *arguments]
    nothing = subprocess.DEVNULL
    return subprocess.run(
        command, env=environment, stdin=nothing, capture_output=True, text=True, errors="replace", check=False
    )


def _path() -> str:
    """PATH with the folders that an ordinary user of Debian has not got in it, and where mkfs programs lie."""
    return f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"


def _which(program: str) -> str | None:
    return shutil.which(program, path=_path())


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-10:])
