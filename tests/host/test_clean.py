"""What a build leaves is removed, and where it can't be, that is said."""

from pathlib import Path

import pytest

from image import artefact, commands
from image.findings import FindingsError
from tests.host.conftest import Program


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("build", "dist", "cache/tau/tools"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").touch()
    return tmp_path / "cache" / "tau"


def test_the_cache_stays_unless_named(cache: Path, tmp_path: Path) -> None:
    commands.clean(tmp_path, cache=False)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"] and (cache / "tools/file").exists()
    commands.clean(tmp_path, cache=True)
    assert not cache.exists()
    commands.clean(tmp_path, cache=True)  # nothing there: no error


def test_files_of_mapped_owners(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This user alone may not remove them: the user namespace must be used."""
    monkeypatch.setattr(artefact, "remove_tree", lambda _: None)
    commands.clean(tmp_path, cache=True)
    assert not cache.exists()


def test_what_stays_is_told(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(artefact, "remove_tree", lambda _: None)
    program("rm", "exit 1")
    with pytest.raises(FindingsError, match="build: can't be removed"):
        commands.clean(tmp_path, cache=True)
    assert "removed" not in capsys.readouterr().err and cache.exists()
