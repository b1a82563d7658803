"""Take a bundle over: copy it to where nobody else writes, and find out who signed it and what it says of itself."""

import contextlib
import os
import stat
import struct
import subprocess
from collections.abc import Iterator

from tau import record, signed
from tau.helper import places
from tau.helper.refusal import RefusedError
from tau.helper.update import check_update
from tau.limits import MAX_BUNDLE, MAX_MANIFEST
from tau.record import Record
from tau.signed import Signed
from tau.status import Status
from tau.ticket import Asked, Wish

#: What is left free of the file system, in bytes: apps must not keep the system from writing its journal.
_RESERVE = 256 << 20
#: Most bundles of one user that are staged at a time.
_MOST_STAGED = 4
#: Seconds that a look at a bundle may take: the processor may be an emulated one.
_MAX_SECONDS = 120
_NOBODY = 65534
_CHUNK = 16 << 20
_PYTHON = ("/usr/bin/python3", "-I", "-S", "-c")
_MODULE = "import sys; sys.path.insert(0, '/usr/lib/tau/python'); from tau.{0} import main; sys.exit(main())"


def stage(asked: Asked, group: int) -> tuple[int, bytes]:
    """Copy a bundle and look at it.

    :param asked: what the user's ticket says.
    :param group: that of sandboxd, which may read what is staged.
    :returns: its number, and its manifest as it is written.
    :raises RefusedError: when the user did not ask for it, or it can't be trusted; nothing is left of it.
    """
    if asked.wish != Wish.INSTALL:
        raise RefusedError(Status.NO_TICKET, "does not ask for an installation")
    (bundle,) = asked.files
    status = os.fstat(bundle)
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError(Status.BAD_BUNDLE, "is not a file")
    if status.st_size > MAX_BUNDLE:
        raise RefusedError(Status.NO_SPACE, f"is larger than {MAX_BUNDLE >> 30} GiB")
    number = int.from_bytes(os.urandom(8)) >> 1 or 1
    with _removed_on_failure(number):
        # It counts from now on, not when it has been copied.
        places.write_file(places.staged(number, f"of{asked.uid}"), b"", group)
        _room(status.st_size, asked.uid)
        _copy(bundle, number, status.st_size, group)
        vouched = _signature(number)
        places.write_file(places.staged(number, "roothash"), vouched.root_hash.hex().encode(), group)
        found, manifest = _content(number)
        whole = found._replace(uid=asked.uid, root_hash=vouched.root_hash, signer=vouched.signer, layout=vouched.layout)
        check_update(whole)  # now, and again when it is installed: before the user is asked in vain
        places.write_file(places.staged(number, "record"), whole.pack(), group)
    return number, manifest


def drop(number: int) -> None:
    """Forget what was staged under a number."""
    for path in places.STAGED.glob(f"{number:016x}.*"):
        path.unlink(missing_ok=True)


def _room(size: int, uid: int) -> None:
    space = os.statvfs(places.STAGED)
    if space.f_bavail * space.f_frsize < size + _RESERVE:
        raise RefusedError(
            Status.NO_SPACE, f"needs {size >> 20} MiB, and {_RESERVE >> 20} MiB must stay free beside it"
        )
    if len(list(places.STAGED.glob(f"*.of{uid}"))) > _MOST_STAGED:
        raise RefusedError(Status.NO_SPACE, f"is one too many: {_MOST_STAGED} others wait for an answer")


@contextlib.contextmanager
def _removed_on_failure(number: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        drop(number)
        raise


def _copy(bundle: int, number: int, size: int, group: int) -> None:
    """Copy `size` bytes, whatever the user does with the file meanwhile: what counts is what arrives here."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    target = os.open(places.staged(number, "raw"), flags, 0o640)
    try:
        os.fchown(target, -1, group)
        done = 0
        while done < size:
            sent = os.sendfile(target, bundle, done, min(_CHUNK, size - done))
            if sent == 0:
                raise RefusedError(Status.BAD_BUNDLE, "became shorter while it was read")
            done += sent
        os.fsync(target)
    except OSError as error:
        raise RefusedError(Status.NO_SPACE, f"can't be copied: {error.strerror}") from None
    finally:
        os.close(target)


def _signature(number: int) -> Signed:
    """What the signature says, found by a process without privilege."""
    with places.staged(number, "raw").open("rb") as image:
        said = _ask([*_PYTHON, _MODULE.format("signature")], image.fileno(), signed.SIZE, user=_NOBODY)
    try:
        return signed.unpack(said)
    except struct.error:
        raise RefusedError(Status.BAD_BUNDLE, "says what can't be understood of its signature") from None


def _content(number: int) -> tuple[Record, bytes]:
    """Record and manifest, read in a unit in which the bundle is mounted (tau-reader-.service.d)."""
    image = places.staged(number, "raw")
    command = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--service-type=exec"]
    command += [f"--unit=tau-reader-{number:016x}.service", f"--property=MountImages={image}:/app"]
    most = record.LENGTH.size + record.MAX_COMMAND + MAX_MANIFEST + 1024
    said = _ask([*command, "--", *_PYTHON, _MODULE.format("reader")], subprocess.DEVNULL, most, user=None)
    (length,) = record.LENGTH.unpack_from(said.ljust(record.LENGTH.size, b"\0"))
    body = said[record.LENGTH.size :]
    try:
        return record.unpack(body[:length]), body[length:]
    except record.RecordError:
        raise RefusedError(Status.BAD_BUNDLE, "says what can't be understood of itself") from None


def _ask(command: list[str], stdin: int, most: int, user: int | None) -> bytes:
    """Run a process that answers on its standard output, or says there why not."""
    try:
        done = subprocess.run(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            env={"PATH": "/usr/bin", "LC_ALL": "C.UTF-8"},
            timeout=_MAX_SECONDS,
            check=False,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    except subprocess.TimeoutExpired:
        raise RefusedError(Status.BAD_BUNDLE, "took too long to look at") from None
    if done.returncode:
        reason = done.stdout[:200].decode(errors="replace").strip()
        raise RefusedError(Status.BAD_BUNDLE, reason or "can't be read")
    if len(done.stdout) > most:
        raise RefusedError(Status.BAD_BUNDLE, "says too much of itself")
    return done.stdout
