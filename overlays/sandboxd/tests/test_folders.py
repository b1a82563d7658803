"""A user's folders: where they lie, what an app finds them as, and which can be given to one."""

import os
from pathlib import Path

import pytest
from tau.folders import FOLDERS, is_below_home
from tau.user_folders import FolderError, handed_on, inside, not_attached, of_user, to_pick

NAMES = list(FOLDERS)


def said(home: Path, text: str) -> dict[str, str]:
    (home / ".config").mkdir(exist_ok=True)
    (home / ".config/user-dirs.dirs").write_text(text)
    return dict(zip(NAMES, of_user(home), strict=True))


def test_where_they_lie(tmp_path: Path) -> None:
    usual = {
        "documents": "Documents",
        "downloads": "Downloads",
        "music": "Music",
        "pictures": "Pictures",
        "videos": "Videos",
    }
    assert dict(zip(NAMES, of_user(tmp_path), strict=True)) == usual
    text = """# A comment
XDG_DOCUMENTS_DIR="$HOME/Eigene Texte"
XDG_MUSIC_DIR="$HOME/Medien/Müsik/"
XDG_PICTURES_DIR="$HOME/"
XDG_VIDEOS_DIR="/srv/videos"
XDG_DOWNLOAD_DIR="$HOME/.local/share"
"""
    assert said(tmp_path, text) == {
        "documents": "Eigene Texte",
        "downloads": "",
        "music": "Medien/Müsik",
        "pictures": "",
        "videos": "",
    }
    for odd in ("../x", "a/../../x", "$(id)", "a\\\\b", "`id`", "a//b"):
        assert said(tmp_path, f'XDG_MUSIC_DIR="$HOME/{odd}"\n')["music"] == ""


@pytest.mark.parametrize("path", ["", ".", "..", "a/..", "/a", "a/", "a//b", ".a", "a/.b", "a\nb", "a\0b", "x" * 1025])
def test_what_is_not_below_a_home(path: str) -> None:
    assert not is_below_home(path)
    assert is_below_home("a b/ü") and is_below_home("نیم\u200cفاصله")


def test_what_an_app_finds_them_as() -> None:
    every = {
        "documents": "/home/ada/Texte",
        "music": "/home/ada/Texte/Musik",
        "home": "/home/ada",
        "picked": "/home/ada/Work/x",
    }
    documents = {"documents": every["documents"]}
    for path, places, expected in (
        ("/home/ada/Texte/a.txt", every, "/run/tau/files/documents/a.txt"),
        ("/home/ada/Texte", every, "/run/tau/files/documents"),
        ("/home/ada/Texte/", every, "/run/tau/files/documents/"),
        ("/home/ada//Texte/./a", every, "/run/tau/files/documents/a"),
        ("/home/ada/Texte/Musik/a", every, "/run/tau/files/music/a"),
        ("/home/ada/Texte/Musik/a", documents, "/run/tau/files/documents/Musik/a"),
        ("/home/ada/Texte2/a", every, "/run/tau/files/home/Texte2/a"),
        ("/home/ada/Texte2/a", documents, None),
        ("/home/ada", every, "/run/tau/files/home"),
        ("/home/ada/Work/x/y", every, "/run/tau/files/picked/y"),
        ("/home/adam/Texte/a", every, None),
        ("/etc/passwd", every, None),
        ("Texte/a.txt", every, None),
        ("--in=/home/ada/Texte/a", every, None),
        ("/home/ada/Texte/../x", every, None),
        ("", every, None),
        ("/home/ada/Texte", {}, None),
    ):
        assert inside(path, places) == expected


def test_a_path_that_leads_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside of the app the folders lie beside each other, under other names."""
    (tmp_path / "Texte").mkdir()
    (tmp_path / "Musik").mkdir()
    (tmp_path / "Musik/a").write_text("")
    monkeypatch.chdir(tmp_path / "Texte")
    places = {"music": str(tmp_path.resolve() / "Musik")}
    assert handed_on("../Musik/a", places) == "/run/tau/files/music/a"
    assert handed_on(f"{tmp_path}/Texte/../Musik/a", places) == "/run/tau/files/music/a"
    for word in ("../Musik/gone", "../..", "a..b", ".."):
        assert handed_on(word, places) == word


def test_what_can_be_picked(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "Work/x").mkdir(parents=True)
    (home / ".ssh").mkdir()
    (home / "bin").mkdir()
    (home / "file").write_text("")
    (home / "short").symlink_to("Work")
    (home / "keys").symlink_to(".ssh")
    (home / "away").symlink_to(tmp_path)
    (home / "a\nb").mkdir()
    for path in ("Work/x", "~/Work/x", str(home / "Work/x"), "short/x", "Work/../Work/x"):
        assert to_pick(home, path) == "Work/x"
    for path, why in (
        ("nothing", "is not there"),
        ("file", "is not a folder"),
        (".ssh", "is hidden"),
        ("keys", "is hidden"),
        (".", "is hidden, not below"),
        ("away", "not below your home"),
        ("..", "not below your home"),
        ("bin", "or ~/bin"),
        ("/etc", "not below your home"),
        ("a\0b", "is not there"),
        ("a\nb", "can't be written down"),
    ):
        with pytest.raises(FolderError, match=why):
            to_pick(home, path)


def test_what_can_not_be_given_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "disk/Music").mkdir(parents=True)
    (home / "Media").symlink_to("disk")
    places = {"documents": f"{home}/Documents", "music": f"{home}/Media/Music", "home": str(home)}
    link = f"can't be given {home}/Media/Music: {home}/Media is a link, and may lead anywhere; let it be a folder"
    assert not_attached(home, places, []) == [link]
    assert not_attached(home, places, ["documents"]) == [f"can't be given {home}/Documents: it is not there", link]
    assert not_attached(home, {"documents": f"{home}/disk", "home": str(home)}, ["documents"]) == []
    monkeypatch.setattr(os, "getuid", lambda: (home / "disk").stat().st_uid + 1)
    assert not_attached(home, {"documents": f"{home}/disk"}, []) == [
        f"can't be given {home}/disk: it is somebody else's"
    ]
    with pytest.raises(FolderError, match="somebody else's: an app can't be given it"):
        to_pick(home, "disk")


def test_a_folder_that_goes_while_it_is_looked_at_keeps_nothing_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda _: True)
    assert not_attached(tmp_path, {"music": f"{tmp_path}/Music"}, []) == [
        f"can't be given {tmp_path}/Music: it can't be looked at: No such file or directory"
    ]
