"""The sample apps as bundles, signed by an author who is made up for it: what ``./inv samples`` packs."""

import tempfile
from pathlib import Path

from image.findings import Finding, FindingsError
from image.overlay import Architecture
from image.progress import Progress
from image.toolbox import Toolbox
from image.tree import make_folder
from overlays.sandboxd.author.bundled import assemble
from overlays.sandboxd.author.tools import Tools

SAMPLES = Path(__file__).parent.parent / "samples"


def pack(architecture: Architecture, author: Path, output: Path, cache: Path, progress: Progress) -> None:
    """Pack each of them for an architecture, and say where the bundles are.

    :param author: the folder of the author's key and certificate, which are made once: what is packed later is an
        update of what was packed before.
    :param output: where the bundles go; it is made if it is not there.
    :param cache: the folder of all that is fetched (:class:`image.paths.Paths`); the tools tree is there.
    :raises FindingsError: when what a sample needs can't be had, or can't be packed.
    """
    tools = Tools(Toolbox.load(cache))
    for folder in (author, output):
        make_folder(folder)
    key, certificate = author / "author.key", author / "author.crt"
    if not (key.exists() and certificate.exists()):
        tools.key(author, "author")
    for sample in sorted(SAMPLES.iterdir()):
        target = output / f"{sample.name}_{architecture}.raw"
        with progress.step(f"Packing {sample.name}"), tempfile.TemporaryDirectory(dir=author) as work:
            folder = Path(work, sample.name)
            assemble(sample, folder, architecture, cache)
            options = ("--key", key, "--certificate", certificate, "--output", target, "--arch", architecture)
            done = tools.tau("pack", folder, *options)
        if done.returncode:
            raise FindingsError([Finding(f"can't be packed:\n{done.stderr.rstrip()}", file=sample)])
        progress.note(f"{target}: packed")
