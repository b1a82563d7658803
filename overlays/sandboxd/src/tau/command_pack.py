"""``tau pack FOLDER``: an app's folder becomes its bundle."""

import argparse
import os
import platform
import sys
from pathlib import Path

from tau.findings import printable
from tau.manifest import FILE_NAME, check, read
from tau.pack import ARCHITECTURES, PackError, Signer, bundle_name, pack

_NEW_KEY = """openssl req -x509 -newkey rsa:3072 -noenc -days 3650 -subj "/CN=YOUR NAME" -keyout KEY -out CERTIFICATE"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help=f"what becomes /app, with a {FILE_NAME}")
    parser.add_argument("--key", metavar="FILE", type=Path, required=True, help="your private key (RSA, PEM)")
    parser.add_argument("--certificate", metavar="FILE", type=Path, required=True, help="your certificate (PEM)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="default: ID_VERSION_ARCH.raw here")
    known = platform.machine() if platform.machine() in ARCHITECTURES else None
    parser.add_argument("--arch", choices=list(ARCHITECTURES), default=known, help="of the programs in the folder")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"A new key, once:\n  {_NEW_KEY}\nKeep it: an app's updates are taken from this key alone."


def run(options: argparse.Namespace) -> int:
    """Pack the folder; returns 1 when there is no bundle."""
    path = options.folder / FILE_NAME
    try:
        checked = check(read(path))
    except OSError as error:
        return _fail(f"{path}: can't be read: {error.strerror}")
    if checked.manifest is None:
        return _fail(*(finding.text(str(path)) for finding in checked.findings))
    if options.arch is None:
        return _fail(f"which architecture? --arch, one of {', '.join(ARCHITECTURES)}")
    target: Path = options.output or Path(bundle_name(checked.manifest, options.arch))
    try:
        pack(options.folder, checked.manifest, Signer(options.key, options.certificate), options.arch, target)
    except PackError as error:
        return _fail(*str(error).splitlines())
    print(f"{printable(os.fspath(target))}: {target.stat().st_size} bytes")
    return 0


def _fail(*lines: str) -> int:
    for line in lines:
        print(printable(line), file=sys.stderr)
    return 1
