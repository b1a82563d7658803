"""Install what was staged, and remove what is installed: each a rename, before or after which a power cut finds all."""

import os
import shutil

from tau import record
from tau.helper import app_profile, kept, lock, places
from tau.helper.refusal import RefusedError
from tau.helper.update import check_update
from tau.names import is_id
from tau.status import Status
from tau.ticket import Asked, Wish


def commit(number: int, group: int) -> None:
    """Install what was staged under a number, for the user who asked for it.

    :raises RefusedError: when another signer's app has the id, or a later version is installed.
    """
    try:
        new = record.read(places.staged(number, "record"))
    except record.RecordError:
        raise RefusedError(Status.NOT_THERE, "is not staged") from None
    with lock.of_apps(new.uid, group):
        check_update(new)
        folder = places.app_folder(new.uid, new.app)
        places.make_folder(folder, group)
        if not (folder / places.CURRENT).is_symlink():
            (folder / places.PICKED).unlink(missing_ok=True)  # of one whose removal was cut off
        version = folder / new.root_hash.hex()
        if version.exists():  # of an installation that was cut off
            shutil.rmtree(version)
        unfinished = folder / f".{new.root_hash.hex()}"
        shutil.rmtree(unfinished, ignore_errors=True)
        places.make_folder(unfinished, group)
        for suffix, name in (("raw", places.BUNDLE), ("roothash", places.ROOT_HASH), ("record", places.RECORD)):
            places.staged(number, suffix).rename(unfinished / name)
        app_profile.write(new, unfinished, group)
        unfinished.rename(version)
        link = folder / f".{places.CURRENT}"
        link.unlink(missing_ok=True)
        link.symlink_to(version.name)
        link.replace(folder / places.CURRENT)
        os.sync()
        others = [each for each in folder.iterdir() if each.name not in (places.CURRENT, places.PICKED, version.name)]
        kept.let_go(new.uid, new.app, [each.name for each in others if not each.name.startswith(".")])
        for other in others:
            shutil.rmtree(other, ignore_errors=True)


def remove(asked: Asked, group: int) -> None:
    """End and remove an app of the user who asks for it; its data in the user's home stays.

    :raises RefusedError: when there is no such app.
    """
    if asked.wish != Wish.REMOVE or not is_id(asked.app):
        raise RefusedError(Status.NO_TICKET, "does not ask for the removal of an app")
    with lock.of_apps(asked.uid, group):
        folder = places.app_folder(asked.uid, asked.app)
        if not (folder / places.CURRENT).is_symlink():
            raise RefusedError(Status.NOT_THERE, "is not installed")
        kept.end(asked.uid, asked.app)
        (folder / places.CURRENT).unlink()
        shutil.rmtree(folder)
        kept.end(asked.uid, asked.app)  # what was just about to start; from here on nothing can
