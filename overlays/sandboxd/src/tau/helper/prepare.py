"""Mount an app's files and load its profile, before its first instance starts: the program of tau-app@.service.

It works from a record of root's, and the instance's name says which; it runs in the system's own mount namespace.
"""

import os
import pwd
import sys
from pathlib import Path

from tau import record
from tau.helper import app_profile, mounts, places, programs
from tau.helper.places import HOME, USER
from tau.names import data_folder, is_id
from tau.record import Record

#: Seconds that mount(8) may take.
_MAX_SECONDS = 60


def prepare(app: Record) -> None:
    """Mount bundle and data, write what the app finds in /etc, load its profile.

    :raises OSError: with what is in the way, or when a program fails, which has said why.
    """
    source = places.installed(app.uid, app.app, app.root_hash)
    target = places.mounted(app.uid, app.app, app.root_hash)
    places.MOUNTED.mkdir(mode=0o700, exist_ok=True)
    for name in ("bundle", "data"):
        (target / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    _mount_bundle(app, source / places.BUNDLE, target / "bundle")
    user = pwd.getpwuid(app.uid)
    folder = mounts.open_below(Path(user.pw_dir), data_folder(app.app), app.uid)
    try:
        mounts.attach(folder, target / "data", executable=True)
    finally:
        os.close(folder)
    people = ["root:x:0:0::/:/usr/sbin/nologin", f"{USER}:x:{app.uid}:{user.pw_gid}::{HOME}:/bin/sh"]
    people += ["nobody:x:65534:65534::/:/usr/sbin/nologin"]
    groups = ["root:x:0:", f"{USER}:x:{user.pw_gid}:", "nogroup:x:65534:"]
    for name, lines in (("passwd", people), ("group", groups)):
        (target / name).write_text("".join(f"{line}\n" for line in lines))
    app_profile.renew(app, source)
    if not app_profile.load(source):
        raise OSError("its AppArmor profile can't be loaded")


def _mount_bundle(app: Record, bundle: Path, target: Path) -> None:
    """Mount a bundle with the root hash that its signature was checked for (mount(8), "verity.").

    The kernel is told where its file system lies, and which it is: it has nothing to find out.
    """
    offset, size, hashes = app.layout
    options = f"ro,nosuid,nodev,loop,offset={offset},sizelimit={size}"
    options += f",verity.hashdevice={bundle},verity.hashoffset={hashes},verity.roothash={app.root_hash.hex()}"
    command = ["/usr/bin/mount", "--types", "erofs", "--options", options, str(bundle), str(target)]
    if programs.run(command, _MAX_SECONDS) != 0:
        raise OSError("its bundle can't be mounted")


def _record(path: str) -> Record:
    """The record that an instance's name leads to: UID/ID/ROOT-HASH.

    :raises RecordError: when there is none.
    """
    uid, _, rest = path.partition("/")
    app, _, root_hash = rest.partition("/")
    if not (uid.isdecimal() and is_id(app) and len(root_hash) == 64 and root_hash.isalnum()):
        raise record.RecordError("is no app's name")
    found = record.read(places.APPS / uid / app / root_hash / places.RECORD)
    if (found.uid, found.app, found.root_hash.hex()) != (int(uid), app, root_hash):
        raise record.RecordError("has another's record")
    return found


def main() -> int:
    """Prepare the app that the argument names."""
    os.umask(0o022)
    try:
        prepare(_record(sys.argv[1]))
    except (OSError, record.RecordError) as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
