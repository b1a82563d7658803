"""``tau pack FOLDER``: an app's folder becomes its bundle."""

import argparse
import os
import platform
import sys
from pathlib import Path

from tau.author_key import NEW_KEY, Signer
from tau.findings import printable
from tau.folder_check import ARCHITECTURES
from tau.host_tools import PackError
from tau.manifest import FILE_NAME, check, read
from tau.pack import bundle_name, pack

_NOTES = f"""\
A new key and its certificate, once, for all of your apps:
  {NEW_KEY}
Keep both: an app's updates are taken with the same certificate alone.
"""
#: What others call the architectures: Debian, and systemd.
_OTHER_NAMES = {"amd64": "x86_64", "x86-64": "x86_64", "arm64": "aarch64"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help=f"what becomes /app, with a {FILE_NAME}")
    parser.add_argument("--key", metavar="FILE", type=Path, required=True, help="your private key (RSA, PEM)")
    parser.add_argument("--certificate", metavar="FILE", type=Path, required=True, help="your certificate (PEM)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="default: ID_VERSION_ARCH.raw here")
    known = platform.machine() if platform.machine() in ARCHITECTURES else None
    parser.add_argument(
        "--arch",
        type=lambda name: _OTHER_NAMES.get(name, name),
        choices=list(ARCHITECTURES),
        default=known,
        help="of the programs in the folder; default: this machine's",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _NOTES.rstrip()


def run(options: argparse.Namespace) -> int:
    """Pack the folder; returns 1 when there is no bundle."""
    path = options.folder / FILE_NAME
    try:
        if options.folder.is_file():
            is_it = options.folder.name == FILE_NAME
            what = f"is the manifest; give its folder: {options.folder.parent}" if is_it else "is not a folder"
            return _fail(f"{options.folder}: {what}")
        checked = check(read(path))
    except OSError as error:
        return _fail(f"{path}: can't be read: {error.strerror}")
    if checked.manifest is None:
        return _fail(*(finding.text(str(path)) for finding in checked.findings))
    if options.arch is None:
        return _fail(f"which architecture? --arch, one of {', '.join(ARCHITECTURES)}")
    target: Path = options.output or Path(bundle_name(checked.manifest, options.arch))
    signer = Signer(options.key, options.certificate)
    try:
        pack(options.folder, checked.manifest, signer, options.arch, target, _note)
    except PackError as error:
        return _fail(*str(error).splitlines())
    print(f"{printable(os.fspath(target))}: {target.stat().st_size} bytes")
    return 0


def _note(line: str) -> None:
    print(printable(f"{line}; it is packed"), file=sys.stderr)


def _fail(*lines: str) -> int:
    for line in lines:
        print(printable(line), file=sys.stderr)
    return 1
