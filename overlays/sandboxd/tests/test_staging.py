"""What goes into a bundle, and what does not."""

import os
import socket
import stat
from pathlib import Path

import pytest
from tau.staging import StagingError, stage


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/app").write_text("#!/bin/sh\n")
    (folder / "bin/app").chmod(0o700)
    (folder / "data").write_text("x")
    return folder


def test_modes_are_not_the_authors(app: Path, tmp_path: Path) -> None:
    (app / "data").chmod(0o600)
    old = os.umask(0o077)
    try:
        stage(app, tmp_path / "out")
    finally:
        os.umask(old)
    modes = {
        str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*")
    }
    assert modes == {"out/bin": 0o755, "out/bin/app": 0o755, "out/data": 0o644}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755


def test_links_inside_are_kept(app: Path, tmp_path: Path) -> None:
    (app / "bin/other").symlink_to("app")
    (app / "bin/up").symlink_to("../data")
    (app / "folder").symlink_to("bin")
    stage(app, tmp_path / "out")
    assert (tmp_path / "out/bin/up").readlink() == Path("../data")
    assert (tmp_path / "out/folder").readlink() == Path("bin")


@pytest.mark.parametrize("link", ["/etc/shadow", "../../x", "../bin/../../x", ".."])
def test_links_that_lead_out(app: Path, tmp_path: Path, link: str) -> None:
    (app / "bin/other").symlink_to(link)
    if link == "..":
        stage(app, tmp_path / "out")  # the app's own folder
        return
    with pytest.raises(StagingError, match="bin/other: is a link that leads out of the app"):
        stage(app, tmp_path / "out")


def test_everything_that_is_refused_is_told(app: Path, tmp_path: Path) -> None:
    os.mkfifo(app / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(app / "socket"))
    (app / "data").chmod(0o4755)
    (app / "bin/group").write_text("")
    (app / "bin/group").chmod(0o2755)
    (app / "a\nb").write_text("")
    with pytest.raises(StagingError) as caught:
        stage(app, tmp_path / "out")
    told = dict(line.rsplit(": ", 1) for line in str(caught.value).replace("a\nb", "odd").splitlines())
    assert told == {
        "pipe": "is neither a file, a folder nor a link",
        "socket": "is neither a file, a folder nor a link",
        "data": "is set-uid or set-gid",
        "bin/group": "is set-uid or set-gid",
        "odd": "has a name that can't be shown",
    }


@pytest.mark.parametrize(
    ("link", "mend"),
    [
        ("/app/bin/app", "; make it relative: app"),
        ("/app/lib/x", "; make it relative: ../lib/x"),
        ("/app", "; make it relative: .."),
        ("/app/../etc", ""),
        ("/apps/x", ""),
    ],
)
def test_links_to_where_the_app_will_be(app: Path, tmp_path: Path, link: str, mend: str) -> None:
    (app / "bin/other").symlink_to(link)
    with pytest.raises(StagingError) as caught:
        stage(app, tmp_path / "out")
    assert str(caught.value) == f"bin/other: is a link that leads out of the app: {link}{mend}"
