"""``./inv test --breaks``: each check is broken on purpose, and must be seen to fail."""

from collections.abc import Callable, Sequence
from pathlib import Path

from image.findings import Finding, FindingsError
from image.paths import Paths
from qemu import run
from qemu.results import begin
from tests.breaks import mutants

#: pytest's exit status when no check was selected: an overlay may have no break of one kind.
_NOTHING = 5


def written(overlay: str) -> None:
    """Refuse an overlay for which no breaks are written.

    :param overlay: its name, or empty for all that have some.
    :raises FindingsError: with what to do instead.
    """
    where = Path(__file__).parent / "of"
    if overlay and not (where / f"{overlay.replace('-', '_')}.py").is_file():
        hint = "for an overlay outside of the repository break a file by hand, and build"
        raise FindingsError([Finding(f"no breaks are written for {overlay!r}", file=where, hint=hint)])


def breaks(root: Path, image: Path, build: Callable[[Sequence[str], str], Path], overlay: str, keyword: str) -> int:
    """Make every break and run its check; returns the worst of pytest's exit statuses.

    :param image: the image as it is released.
    :param build: builds an image with overlays from these folders into a folder, and returns its path.
    """
    results = begin(Paths.of(root).build / "reports")
    statuses = [run.everything(root, image, overlay, keyword, [], breaks="guest", results=results / "guest")]
    folder = Paths.of(root).build / "breaks"
    if mutants.write(root / "overlays", folder / "overlays", mutants.edits([overlay] if overlay else None)):
        broken = build([str(folder / "overlays")], str(folder / "dist"))
        statuses.append(run.everything(root, broken, overlay, keyword, [], breaks="image", results=results / "image"))
    if all(status == _NOTHING for status in statuses):
        raise FindingsError([Finding(f"no break is selected by {keyword!r}")])
    return max(0 if status == _NOTHING else status for status in statuses)
