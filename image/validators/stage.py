"""Where the validators' tools run: a throw-away root of the image's base layer with the rendered files on top."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from image.findings import Finding
from image.toolbox import Toolbox
from image.tree import File

#: Seconds that a tool may take for all files of its kind.
TIMEOUT = 300


@dataclass(frozen=True)
class Subject:
    """A rendered file to check.

    :param path: absolute, inside the image or its initrd.
    :param part: which of the two.
    :param disk: where it lies on this host.
    """

    path: str
    file: File
    part: Literal["root", "initrd"]
    disk: Path

    def finding(self, tool: str, message: str, line: int | None = None) -> Finding:
        """Make a finding that points to the template or file that this one came from."""
        source = self.file.source or self.disk
        templated = source.suffix == ".j2"
        where = f"{self.path}{f':{line}' if line and templated else ''}"
        return Finding(f"{tool}: {message}", source, None if templated else line, hint=f"rendered as {where}")


@dataclass(frozen=True)
class Result:
    """What a tool said: both of its outputs together."""

    status: int
    output: str

    def lines(self) -> list[str]:
        """Return the lines that say something."""
        return [line.strip() for line in self.output.splitlines() if line.strip()]


class ToolMissingError(Exception):
    """The image has not the program that a file of this kind is for. Its name is the message."""


@dataclass(frozen=True)
class Stage:
    """Runs the tools.

    :param root: the layers of the image's root: its base, then the rendered files.
    :param initrd: the layers of its initrd.
    """

    toolbox: Toolbox
    root: tuple[Path, ...]
    initrd: tuple[Path, ...]

    def run(self, *argv: str, part: Literal["root", "initrd"] = "root") -> Result:
        """Run a program of the image itself, as root of a namespace without a network.

        :raises ToolMissingError: when it has none; silence would pass for a good file.
        """
        result = _run(self.toolbox.in_image(self.root if part == "root" else self.initrd, *argv))
        if result.status == 127 and not result.output:  # mkosi's sandbox says nothing of it
            raise ToolMissingError(argv[0])
        return result

    def script(self, text: str, arguments: Sequence[str]) -> Result:
        """Run a shell script inside the image's root; `arguments` are $1 and so on."""
        return self.run("bash", "-c", text, "bash", *arguments)

    def tool(self, *argv: str) -> Result:
        """Run a program of the tools tree."""
        return _run(self.toolbox.command(*argv))

    def has(self, program: str) -> bool:
        """Whether the image has the program (an absolute path)."""
        return any((layer / program.lstrip("/")).exists() for layer in self.root)


def _run(command: list[str]) -> Result:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Result(124, f"no answer within {TIMEOUT} s")
    return Result(done.returncode, done.stdout.decode(errors="replace"))


def attribute(tool: str, result: Result, subjects: Sequence[Subject], ignore: str = r"(?!)") -> list[Finding]:
    """Turn a tool's lines into findings, each at the file that it names and, where it names one, the line.

    A line that names none of the files is attached to the first, so that nothing a failing tool says is lost.

    :param ignore: a regular expression of lines that say nothing wrong.
    """
    findings = []
    for text in result.lines():
        if re.search(ignore, text):
            continue
        named = [subject for subject in subjects if subject.path in text or str(subject.disk) in text]
        unit = [subject for subject in subjects if re.search(rf"\b{re.escape(Path(subject.path).name)}\b", text)]
        subject = (named or unit or list(subjects))[0]
        place = rf"{re.escape(subject.path)}:(\d+)|{re.escape(str(subject.disk))}:(\d+)|\bline (\d+)"
        match = re.search(place, text)
        number = next((int(group) for group in match.groups() if group), None) if match else None
        findings.append(subject.finding(tool, text, number))
    return findings
