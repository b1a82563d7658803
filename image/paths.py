"""Where things go: what is built in the checkout, what is fetched in the user's cache."""

from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Paths:
    """The folders of one checkout.

    :param cache: ``$XDG_CACHE_HOME/tau``: packages, mkosi, the tools tree; may be removed at any time.
    :param build: intermediate files, logs and reports.
    :param dist: artefacts.
    """

    cache: Path
    build: Path
    dist: Path

    @classmethod
    def of(cls, root: Path) -> "Paths":
        """Return the folders of the checkout in `root`."""
        cache = Path(platformdirs.user_cache_dir("tau", appauthor=False)).resolve()
        return cls(cache, root / "build", root / "dist")
