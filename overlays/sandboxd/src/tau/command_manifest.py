"""``tau manifest``: what is wrong in a manifest, with line and column, and its JSON Schema for editors."""

import argparse
import json
import sys
from pathlib import Path

from tau.findings import printable
from tau.manifest import FILE_NAME, check, read


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    action = actions.add_parser("check", help="say what is wrong in manifests", allow_abbrev=False)
    action.add_argument("files", nargs="+", metavar="FILE", help=f"a {FILE_NAME}, or a folder that holds one")
    action.add_argument("--json", action="store_true", help="findings as JSON, one object a line")
    actions.add_parser("schema", help="print the JSON Schema of manifests", allow_abbrev=False)


def run(options: argparse.Namespace) -> int:
    """Run the action; returns 1 when there is a finding in any file."""
    if options.action == "schema":
        from tau.manifest_schema import schema

        print(json.dumps(schema(), indent=2))
        return 0
    return max([_check(Path(name), as_json=options.json) for name in options.files])


def _check(path: Path, *, as_json: bool) -> int:
    path = path / FILE_NAME if path.is_dir() else path
    try:
        findings = check(read(path)).findings
    except OSError as error:
        message = f"can't be read: {error.strerror}"
        _tell({"file": str(path), "message": message}, f"{path}: {message}", as_json=as_json)
        return 1
    for finding in findings:
        _tell({"file": str(path), **finding.as_dict()}, finding.text(str(path)), as_json=as_json)
    if not findings and not as_json:
        print(f"{printable(str(path))}: no findings")
    return 1 if findings else 0


def _tell(data: dict[str, object], text: str, *, as_json: bool) -> None:
    """JSON is the answer that was asked for; text for a person is not, and does not get into a pipe."""
    if as_json:
        print(json.dumps(data))
    else:
        print(printable(text), file=sys.stderr)
