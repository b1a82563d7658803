"""What is attached to an instance follows from what is written down of it: what is right stays, all else goes."""

import errno
import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest
from tau.helper import attach, mounts, nodes, places
from tau.permissions import PERMISSIONS, mask_of
from tau.running import Running

DECLARED = mask_of(["camera", "filesystem:ro", "filesystem:rw:documents", "filesystem:rw:picked"])
ONE = Running(
    os.getuid(), "org.example.app", b"s" * 32, DECLARED, 7, 0, 0, 0, ("Texte", "", "Music", "Pictures", "Link")
)


class World:
    """A home, and mounts that are remembered: what was mounted where, and how."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.top, self.home, self.dev = path / "attached", path / "home", path / "dev"
        self.mounted: dict[Path, bool] = {}
        self.changes: list[str] = []
        for folder in ("Texte", "Music", "Work", "Other"):
            (self.home / folder).mkdir(parents=True)
        (self.home / "Link").symlink_to("Work")
        self.dev.mkdir()
        (self.dev / "video0").touch()
        self.picked = "Work"
        #: What is mounted where, by its inode.
        self.inodes: dict[Path, int] = {}
        self.fails = ""
        patch.setattr(pwd, "getpwuid", lambda uid: SimpleNamespace(pw_dir=self.home))
        patch.setattr(places, "ATTACHED", self.top)
        patch.setattr(attach, "_DEVICES", self.dev)
        patch.setattr(attach, "picked", lambda uid, app: self.picked)
        patch.setattr(attach, "_mounted", lambda top: dict(self.mounted))
        patch.setattr(nodes, "of", lambda name: ["video0"] if name == "camera" else [])
        patch.setattr(mounts, "attach", self._attach)
        patch.setattr(mounts, "attach_node", lambda node, target: self._attach(node, target, read_only=False))
        patch.setattr(mounts, "detach", self._detach)
        patch.setattr(os.path, "samestat", lambda one, other: other.st_ino in self.inodes.values())

    def _attach(self, source: int, target: Path, *, read_only: bool) -> None:
        if target.name == self.fails:
            raise OSError(errno.EIO, "failed")
        assert target.exists() and target not in self.mounted
        self.mounted[target] = read_only
        self.inodes[target] = os.fstat(source).st_ino
        self.changes.append(f"+{target.name}{' ro' if read_only else ''}")

    def _detach(self, target: Path) -> None:
        del self.mounted[target], self.inodes[target]
        self.changes.append(f"-{target.name}")

    def after(self, *permissions: str) -> list[str]:
        """What changes when these are attached."""
        self.changes.clear()
        assert attach.attach(ONE._replace(wanted=mask_of(permissions)))
        return self.changes


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_what_is_attached_comes_and_goes(world: World) -> None:
    assert world.after() == []
    places_inside = {path.name for path in (world.top / ONE.name / "files").iterdir()}
    assert places_inside == {"documents", "downloads", "music", "pictures", "videos", "picked"}
    assert (world.top / ONE.name / "devices/video0").stat().st_mode & 0o777 == 0
    # One that is not there, and one that is a link, are left out.
    assert world.after("filesystem:ro") == ["+documents ro", "+music ro"]
    assert world.after("filesystem:ro") == []
    assert world.after("filesystem:ro", "filesystem:rw:documents") == ["-documents", "+documents"]
    assert world.after("filesystem:ro", "camera") == ["-documents", "+documents ro", "+video0"]
    assert sorted(world.after("filesystem:rw:picked")) == ["+picked", "-documents", "-music", "-video0"]
    assert world.after() == ["-picked"]
    assert world.mounted == {}


def test_a_device_is_not_there_before_the_app_is(world: World) -> None:
    assert attach.attach(ONE._replace(wanted=mask_of(["camera", "filesystem:ro"])), devices=False)
    assert world.changes == ["+documents ro", "+music ro"]


def test_another_is_picked(world: World) -> None:
    assert world.after("filesystem:rw:picked") == ["+picked"]
    assert world.after("filesystem:rw:picked") == []
    world.picked = "Other"
    assert world.after("filesystem:rw:picked") == ["-picked", "+picked"]
    world.picked = ""
    assert world.after("filesystem:rw:picked") == ["-picked"]


def test_what_fails_keeps_nothing_else_from_being_done(world: World) -> None:
    world.after("camera")
    world.fails = "documents"
    assert not attach.attach(ONE._replace(wanted=mask_of(["filesystem:ro"])))
    assert world.changes == ["+video0", "-video0", "+music ro"]


def test_what_has_gone_is_taken_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that has become a link, and a device that was unplugged, before it is revoked or after."""
    world.after("camera", "filesystem:rw:picked")
    (world.dev / "video0").unlink()
    (world.home / "Work").rename(world.home / "Away")
    (world.home / "Work").symlink_to("Away")
    assert world.after("camera", "filesystem:rw:picked") == ["-picked", "-video0"]
    (world.dev / "video0").touch()
    assert world.after("camera") == ["+video0"]
    monkeypatch.setattr(nodes, "of", lambda name: [])
    assert world.after() == ["-video0"]


def test_what_is_not_declared_is_not_attached(world: World) -> None:
    world.after(*PERMISSIONS)
    assert {path.name for path in world.mounted} == {"documents", "music", "picked", "video0"}
    assert not (world.top / ONE.name / "files/home").exists()


def test_a_folder_of_anothers(world: World) -> None:
    assert attach.attach(ONE._replace(uid=ONE.uid + 1, wanted=mask_of(["filesystem:ro"])))
    assert world.changes == []


def test_what_is_mounted_is_read_as_the_kernel_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mountinfo"
    file.write_text(
        "21 1 0:19 / / ro,relatime shared:1 - erofs /dev/dm-0 ro\n"
        "50 21 8:4 /t/Texte /run/tau/attached/a/files/documents ro,nosuid shared:9 - ext4 /dev/vda4 rw\n"
        "51 21 8:4 /t/Work /run/tau/attached/a/files/picked rw,nosuid shared:9 - ext4 /dev/vda4 rw\n"
        "52 21 8:4 /t/Work /run/tau/attached/ab/files/picked rw,nosuid shared:9 - ext4 /dev/vda4 rw\n"
    )
    odd = b"53 21 8:4 /t/\xff\xe2\x80\xa8\x0b\r /run/tau/attached/a/files/music rw shared:9 - ext4 /dev/vda4 rw\n"
    file.write_bytes(file.read_bytes() + odd + b"\n54 21\n")
    monkeypatch.setattr(attach, "_MOUNTS", file)
    top = Path("/run/tau/attached/a")
    assert attach._mounted(top) == {
        top / "files/documents": True,
        top / "files/picked": False,
        top / "files/music": False,
    }
