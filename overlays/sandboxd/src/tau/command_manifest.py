"""``tau manifest``: what is wrong in a manifest, with line and column, and its JSON Schema for editors."""

import argparse
import json
import sys
from pathlib import Path

from tau.findings import printable
from tau.manifest import FILE_NAME, Manifest, check, read
from tau.usage import add_action

#: What `--json` says where there is no finding's place: of a file that can't be read, and of an app's program.
_NOWHERE = dict.fromkeys(("line", "column", "key", "expected", "nearest"))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    action = add_action(actions, "check", "say what is wrong in manifests")
    action.add_argument("files", nargs="+", metavar="FILE", help=f"a {FILE_NAME}, or an app's folder: its program, too")
    action.add_argument("--json", action="store_true", help="findings as JSON, one object a line")
    add_action(actions, "schema", "print the JSON Schema of manifests")


def run(options: argparse.Namespace) -> int:
    """Run the action; returns 1 when there is a finding in any file."""
    if options.action == "schema":
        from tau.manifest_schema import schema

        print(json.dumps(schema(), indent=2))
        return 0
    return max([_check(Path(name), as_json=options.json) for name in options.files])


def _check(path: Path, *, as_json: bool) -> int:
    try:
        folder = path if path.is_dir() else None
        path = path / FILE_NAME if folder else path
        checked = check(read(path))
    except OSError as error:
        _tell_of(path, f"can't be read: {error.strerror}", as_json=as_json)
        return 1
    for finding in checked.findings:
        _tell({"file": str(path), **finding.as_dict()}, finding.text(str(path)), as_json=as_json)
    if checked.manifest is None or (folder and not _has_program(folder, checked.manifest, as_json=as_json)):
        return 1
    if not as_json:
        print(f"{printable(str(path))}: no findings")
    return 0


def _has_program(folder: Path, manifest: Manifest, *, as_json: bool) -> bool:
    """Whether the program that a manifest names is there and can be started; else it is told."""
    from tau.folder_check import program_problem

    program = folder / manifest.command[0]
    try:
        problem = program_problem(folder, manifest.command[0])
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
    if problem:
        _tell_of(program, f"{problem}; it is the program that the manifest names", as_json=as_json)
    return not problem


def _tell_of(path: Path, message: str, *, as_json: bool) -> None:
    _tell({"file": str(path), **_NOWHERE, "message": message}, f"{path}: {message}", as_json=as_json)


def _tell(data: dict[str, object], text: str, *, as_json: bool) -> None:
    """JSON is the answer that was asked for; text for a person is not, and does not get into a pipe."""
    if as_json:
        print(json.dumps(data))
    else:
        print(printable(text), file=sys.stderr)
