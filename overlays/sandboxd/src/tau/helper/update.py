"""What may take the place of an installed app: an app is an id and the signer of its first bundle."""

from tau import record
from tau.helper import places
from tau.helper.refusal import RefusedError
from tau.record import Record
from tau.status import Status


def check_update(new: Record) -> None:
    """Compare a bundle with what its user has installed under the same id.

    :raises RefusedError: when it is another signer's, an older version, or the very same.
    """
    current = places.app_folder(new.uid, new.app) / places.CURRENT
    if not current.is_symlink():
        return
    try:
        old = record.read(current / places.RECORD)
    except record.RecordError:
        raise RefusedError(Status.FAILED, "has a record that can't be read; remove it first") from None
    if old.signer != new.signer:
        raise RefusedError(Status.OTHER_SIGNER, "was signed by somebody else than the one that is installed")
    if old.version > new.version:
        raise RefusedError(Status.OLDER, "is older than the one that is installed")
    if old.root_hash == new.root_hash:
        raise RefusedError(Status.SAME, "is installed already")
