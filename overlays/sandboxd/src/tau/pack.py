"""From an app's folder to its bundle: a signed discoverable disk image, made by systemd-repart.

GPT, erofs, dm-verity and a PKCS#7 signature of the root hash: no format and no cryptography of ours
(https://uapi-group.org/specifications/specs/discoverable_disk_image/). The same folder, key
and certificate give the same bytes with the same systemd-repart and mkfs.erofs.
"""

import shutil
import string
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from tau.author_key import Signer, check_signer
from tau.folder_check import ARCHITECTURES, look, program_problem
from tau.gpt import CERTIFICATE_PARTITION
from tau.host_tools import PackError, check_tools, indented, run
from tau.manifest import Manifest
from tau.staging import StagingError, stage

_BLOCK = 4096
#: Namespace of the seeds, from which systemd-repart derives the partitions' UUIDs (RFC 9562, version 5).
_SEEDS = uuid.UUID("0c5b8c1e-8a0e-4f0e-9f5b-3e6a3f1d7c52")


def bundle_name(manifest: Manifest, architecture: str) -> str:
    """Return the file name of an app's bundle."""
    return f"{manifest.id}_{manifest.version}_{architecture}.raw"


def pack(
    folder: Path,
    manifest: Manifest,
    signer: Signer,
    architecture: str,
    target: Path,
    note: Callable[[str], object] = lambda _: None,
) -> None:
    """Make a bundle. `target` is replaced when the new one is complete, and else left as it was.

    :param manifest: what the folder's manifest.tau says.
    :param architecture: of the programs in it, a key of :data:`ARCHITECTURES`.
    :param note: is told, in a line each, what its author may not have meant, and is packed all the same.
    :raises PackError: when the folder, the key or this host won't do.
    """
    try:
        _check_target(folder, target)
        check_tools()
        check_signer(signer)
        with tempfile.TemporaryDirectory(prefix=".tau-pack-", dir=target.parent) as work:
            staged = Path(work, "app")
            stage(folder, staged)
            for line in _checked(staged, folder, manifest, signer, architecture):
                note(line)
            image = Path(work, "bundle.raw")
            command = _repart(staged, manifest, signer, architecture, image)
            _run_repart(*command, "--size=auto")
            # Once more as a disk of whole blocks, table and all, which "auto" does not make: the kernel would complain
            # on the console of each who runs it that it can't read the last one (loop(4)).
            size = image.stat().st_size
            image.unlink()
            _run_repart(*command, f"--size={size + -size % _BLOCK}")
            image.chmod(0o644)
            image.replace(target)
    except StagingError as error:
        raise PackError("\n".join(f"{folder}/{line}" for line in str(error).splitlines())) from None
    except OSError as error:
        raise PackError(f"{error.filename or target}: {error.strerror}") from None


def _check_target(folder: Path, target: Path) -> None:
    if target.is_dir():
        raise PackError(f"{target}: is a folder; name a file")
    if not target.parent.is_dir():
        raise PackError(f"{target.parent}: is {'not a folder' if target.parent.exists() else 'not there'}")
    if target.parent.resolve().is_relative_to(folder.resolve()):
        raise PackError(f"{target}: would lie in the folder that is packed; name another place with --output")


def _checked(staged: Path, folder: Path, manifest: Manifest, signer: Signer, architecture: str) -> list[str]:
    """Look at what goes into the bundle, and return what its author is to be told.

    :raises PackError: with everything of it that is refused.
    """
    program = manifest.command[0]
    problem = program_problem(staged, program)
    seen = look(staged, program, architecture, signer.key)
    refused = [f"{program}: {problem}; it is the program that the manifest names"] if problem else []
    refused += seen.refused
    if refused:
        raise PackError("\n".join(f"{folder}/{line}" for line in refused))
    return [f"{folder}/{line}" for line in seen.notes]


def _repart(staged: Path, manifest: Manifest, signer: Signer, architecture: str, image: Path) -> list[str]:
    """The command that makes the image, without the size."""
    seed = uuid.uuid5(_SEEDS, f"{manifest.id} {manifest.version} {architecture}")
    return [
        "systemd-repart",
        f"--definitions={_definitions(image.parent, signer)}",
        f"--copy-source={staged}",
        f"--architecture={ARCHITECTURES[architecture]}",
        f"--private-key={signer.key.resolve()}",
        f"--certificate={signer.certificate.resolve()}",
        f"--seed={seed}",
        "--empty=create",
        "--dry-run=no",
        "--offline=yes",
        str(image),
    ]


def _run_repart(*command: str) -> None:
    done = run(*command)
    # A setting that it can't use is a warning only: the bundle would lack what it was for.
    if done.returncode or "ignoring" in done.stderr:
        raise PackError(f"systemd-repart failed:\n{indented(done.stderr)}")


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
