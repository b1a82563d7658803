"""dist/: the artefacts of a build, put there whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image.findings import Finding, FindingsError
from image.plan import Plan

_CHUNK = 1 << 20


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def publish(plan: Plan, outputs: Mapping[str, Path], record: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Move the outputs of a finished build to `folder` as ``STEM.SUFFIX`` and write SHA256SUMS beside them.

    Each file is written beside its place and renamed; the image itself goes last, so that whoever sees a new image
    has its plan and manifest. `record` is written as ``STEM.build.json``.

    :param outputs: the file of each suffix; ``raw`` is the image.
    :returns: the final path of each suffix.
    :raises FindingsError: when the folder can't be written or its disk is full; the old artefacts are then whole.
    """
    stem = plan.stem
    placed: dict[str, Path] = {}
    staged: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        digests = {}
        for suffix, path in outputs.items():
            target = folder / f"{stem}.{suffix}"
            beside = folder / f".{target.name}.{os.getpid()}.new"
            staged.append((beside, target))
            digests[target.name] = sha256_file(path)
            _move(path, beside)
            placed[suffix] = target
        target = folder / f"{stem}.build.json"
        beside = folder / f".{target.name}.{os.getpid()}.new"
        staged.insert(0, (beside, target))
        beside.write_text(json.dumps({**record, "sha256": digests}, indent=1, sort_keys=True) + "\n")
        for beside, target in sorted(staged, key=lambda pair: pair[1].suffix == ".raw"):
            beside.rename(target)
        _write_sums(folder)
    except OSError as error:
        raise FindingsError([Finding(f"can't be written: {error.strerror}", file=folder)]) from error
    finally:
        for beside, _ in staged:
            beside.unlink(missing_ok=True)
    return placed


def _move(source: Path, target: Path) -> None:
    """Rename, or copy to another file system without filling the holes of a sparse image."""
    try:
        source.rename(target)
        return
    except OSError:
        pass
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(_CHUNK):
            if block.strip(b"\0"):
                writer.write(block)
            else:
                writer.seek(len(block), os.SEEK_CUR)
        writer.truncate(source.stat().st_size)
        writer.flush()
        os.fsync(writer.fileno())
    source.unlink()


def read_record(plan: Plan, folder: Path) -> dict[str, Any] | None:
    """Return what `publish` recorded of the image that is there now, or None when it is not there or not whole."""
    path = folder / f"{plan.stem}.build.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        names = record["sha256"]
    except (OSError, ValueError, KeyError):
        return None
    return record if all((folder / name).is_file() for name in names) else None


def _write_sums(folder: Path) -> None:
    """Write SHA256SUMS (the format of sha256sum(1)) of all images in `folder`, from their records."""
    lines = []
    for path in sorted(folder.glob("*.build.json")):
        digests = json.loads(path.read_text())["sha256"]
        lines += [f"{digest}  {name}" for name, digest in sorted(digests.items()) if (folder / name).is_file()]
    beside = folder / f".SHA256SUMS.{os.getpid()}.new"
    beside.write_text("".join(f"{line}\n" for line in sorted(lines, key=lambda line: line[66:])))
    beside.rename(folder / "SHA256SUMS")


def remove_tree(path: Path) -> None:
    """Remove a folder of our own that this user owns; nothing happens when it is not there."""
    shutil.rmtree(path, ignore_errors=True)
