"""dist/: the artefacts of a build, put there whole or not at all."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from image.findings import Finding, FindingsError
from image.plan import Plan

_CHUNK = 1 << 20
#: What a person stops a build with; held back while finished files are put in place, which takes no time.
_STOPS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_folder(folder: Path) -> None:
    """Make the folder and write to it: better told now than after the minutes of a build.

    :raises FindingsError: when it can't be made or written.
    """
    probe = folder / f".{os.getpid()}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(4096))
    except OSError as error:
        raise _not_written(folder, error) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def publish(
    plan: Plan,
    outputs: Mapping[str, Path],
    record: Mapping[str, Any],
    folder: Path,
    *,
    known: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Path]:
    """Move the outputs of a finished build to `folder` as ``STEM.SUFFIX`` and write SHA256SUMS beside them.

    Each file is written beside its place; once all are, they are renamed, and no signal comes between. The record of
    what was there goes first and the new one comes last: after a power cut, there is none, and the image is built anew.

    :param outputs: the file of each suffix; ``raw`` is the image.
    :param record: written as ``STEM.build.json``, with the SHA-256 of each file.
    :param known: the SHA-256 of a suffix whose file need not be read again; hashing the image takes seconds.
    :returns: the final path of each suffix.
    :raises FindingsError: when the folder can't be written or its disk is full; the old artefacts are then whole.
    """
    placed = {suffix: folder / f"{plan.stem}.{suffix}" for suffix in outputs}
    names = sorted(placed, key=lambda suffix: suffix == "raw")  # who sees a new image has its plan and manifest
    last = folder / f"{plan.stem}.build.json"
    staged = {target: _beside(target) for target in (*(placed[name] for name in names), last, folder / "SHA256SUMS")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        digests = {}
        for suffix, path in outputs.items():
            digests[placed[suffix].name] = known.get(suffix) or sha256_file(path)
            _move(path, staged[placed[suffix]])
        text = json.dumps({**record, "sha256": digests}, indent=1, sort_keys=True) + "\n"
        staged[last].write_text(text)
        staged[folder / "SHA256SUMS"].write_text(_sums(folder, last.name, digests))
        with _held():
            last.unlink(missing_ok=True)
            for target, beside in staged.items():
                beside.rename(target)
    except OSError as error:
        raise _not_written(folder, error) from error
    finally:
        for beside in staged.values():
            beside.unlink(missing_ok=True)
    return placed


def _not_written(folder: Path, error: OSError) -> FindingsError:
    return FindingsError([Finding(f"can't be written: {error.strerror}", file=folder)])


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.new")


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Hold back what stops a build until the block has ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
    record = _read(folder / f"{plan.stem}.build.json")
    if record is None or "fingerprint" not in record:
        return None
    return record if all((folder / name).is_file() for name in record["sha256"]) else None


def _read(path: Path) -> dict[str, Any] | None:
    """A record, or None when it can't be read or is none: somebody has edited it, or a disk has lost it."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("sha256"), dict) else None


def _sums(folder: Path, new: str, digests: Mapping[str, str]) -> str:
    """The text of SHA256SUMS (the format of sha256sum(1)) of all images in `folder`, from their records.

    :param new: the name of the record that is about to be replaced; `digests` are its new ones.
    """
    lines = [f"{digest}  {name}" for name, digest in digests.items()]
    for path in folder.glob("*.build.json"):
        record = _read(path) if path.name != new else None
        if record is not None:
            lines += [f"{digest}  {name}" for name, digest in record["sha256"].items() if (folder / name).is_file()]
    return "".join(f"{line}\n" for line in sorted(lines, key=lambda line: line[66:]))


def remove_tree(path: Path) -> None:
    """Remove a folder of our own that this user owns; nothing happens when it is not there."""
    shutil.rmtree(path, ignore_errors=True)
