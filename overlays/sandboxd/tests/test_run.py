"""How an app is started: what its user can say, and what becomes of it in the unit."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tau import launch
from tau.helper import app_profile, instance, mounts, run
from tau.launch import Launch, LaunchError
from tau.permissions import mask_of
from tau.record import Record
from tau.seccomp_groups import ADDITIONS

APP = Record(1000, "org.example.app", (1, 0, 0, 0), 0, 0, b"h" * 32, b"s" * 32, ("bin/app", "--first"))
_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(_words, max_size=20), st.booleans(), st.sampled_from(["", "xterm-256color"]))
def test_what_is_said_arrives(arguments: list[str], ephemeral: bool, terminal: str) -> None:
    said = Launch(tuple(arguments), ephemeral, terminal, "de_DE.UTF-8")
    assert launch.unpack(said.pack()) == said


@given(st.binary(max_size=300))
def test_anything_else_is_refused(data: bytes) -> None:
    try:
        taken = launch.unpack(data)
    except LaunchError:
        return
    assert launch.unpack(taken.pack()) == taken


@pytest.mark.parametrize(
    "said",
    [
        Launch(("a\0b",)),
        Launch(("x" * launch.MAX_BYTES,)),
        Launch(("",) * (launch.MAX_ARGUMENTS + 1)),
        Launch(("\udcff",)),
        Launch(terminal="vt100\nUser=root"),
        Launch(terminal="a" * 33),
        Launch(language="C;x"),
    ],
)
def test_what_nobody_can_say(said: Launch) -> None:
    with pytest.raises(LaunchError):
        said.pack()


def test_a_terminal_of_another_form_is_none() -> None:
    assert launch.of_form("../../x", "C.UTF-8") == ("", "C.UTF-8")


def command(app: Record = APP, how: Launch | None = None) -> list[str]:
    return run.command(app, how or Launch(), 7, Path("/run/tau/gates/app-tau-1000-org.example.app-00000007"))


def test_arguments_are_the_apps_alone() -> None:
    """Whatever they say, systemd-run and its unit have ended before them."""
    words = command(how=Launch(("--property=User=root", "--", "%n", "$HOME")))
    end = words.index("/app/bin/app")
    # What comes before it names each program by its path: the bundle's own are in the app's PATH.
    programs = [word for word in words[words.index("--") : end] if "/" in word and " " not in word and "=" not in word]
    assert all(word.startswith("/usr/") for word in programs) and len(programs) == 6
    assert not [word for word in words[: words.index("--")] if "setenv" in word]
    assert words[end:] == ["/app/bin/app", "--first", "--property=User=root", "--", "%n", "$HOME"]
    assert "--" in words[:end] and "--expand-environment=no" in words[: words.index("--")]


def test_it_is_the_users_and_never_root() -> None:
    words = command()
    assert "--uid=1000" in words and "--unit=app-tau-1000-org.example.app-00000007.service" in words
    assert f"--property=AppArmorProfile=tau-app-1000-org.example.app-{'68' * 32}" in words
    bound = [word.partition("=BindPaths=")[2] for word in words if "=BindPaths=" in word]
    assert bound[-1:] == [f"/run/tau/apps/1000/org.example.app/{'68' * 32}/data:/home/user"]


def test_an_ephemeral_one_has_no_data() -> None:
    words = command(how=Launch(ephemeral=True))
    assert not [word for word in words if "=BindPaths=" in word and "/run/tau/apps/" in word]
    assert "--property=TemporaryFileSystem=/home/user:mode=0700,uid=1000,size=10%" in words


def test_what_it_declares_is_all_it_has() -> None:
    """Sockets of the internet, and system calls that its manifest adds: in the unit's filter and in the profile."""
    plain = command()
    assert not [word for word in plain if "AddressFamilies" in word or "SystemCallFilter" in word]
    assert "inet" not in app_profile.text(APP) and "ptrace peer" not in app_profile.text(APP)


@pytest.mark.parametrize("permission", ["network", "lan"])
def test_a_permission_of_the_network(permission: str) -> None:
    app = Record(1000, APP.app, APP.version, mask_of([permission]), 0, APP.root_hash, APP.signer, APP.command)
    families = [word.rpartition("=")[2] for word in command(app) if "AddressFamilies" in word]
    assert families == ["AF_INET", "AF_INET6", "AF_NETLINK"]
    assert "  network inet,\n  network inet6,\n  network netlink,\n" in app_profile.text(app)


def test_additions() -> None:
    every = 2 ** len(ADDITIONS) - 1
    app = Record(1000, APP.app, APP.version, 0, every, APP.root_hash, APP.signer, APP.command)
    assert [word.rpartition("=")[2] for word in command(app) if "SystemCallFilter" in word] == list(ADDITIONS)
    assert "  ptrace peer=@{profile_name},\n" in app_profile.text(app)


def test_what_runs_is_read_from_the_control_groups(tmp_path: Path) -> None:
    for name in (
        "app-tau-1000-org.example.app-00000007.service",
        "app-tau-1001-org.example.app-ffffffff.service",
        "app-tau-1000-org.example.app-7.service",
        "app-tau-0-org.example.app-00000001.service",
        "app-tau-1000-..-00000001.service",
        "session-1.scope",
    ):
        (tmp_path / "apps-1000.slice" / name).mkdir(parents=True)
    assert instance.running(tmp_path) == [(1000, "org.example.app", 7), (1001, "org.example.app", 0xFFFFFFFF)]
    assert instance.running(tmp_path / "nothing") == []
    assert instance.unit(1000, "org.example.app", 7) == "app-tau-1000-org.example.app-00000007.service"


def test_a_home_is_entered_without_following_anything(tmp_path: Path) -> None:
    """The user can put a link in the way at any time, and what it leads to may be another's."""
    inside, outside = tmp_path / "home", tmp_path / "outside"
    (inside / "share/app").mkdir(parents=True)
    (outside / "app").mkdir(parents=True)
    descriptor = mounts.open_below(inside, "share/app")
    assert os.fstat(descriptor).st_ino == (inside / "share/app").stat().st_ino
    os.close(descriptor)
    (inside / "link").symlink_to(outside)
    (inside / "share/last").symlink_to("app")
    (inside / "share/file").write_text("")
    for path in ("link/app", "share/last", "../outside/app", str(outside / "app"), "share/file", "share/nothing"):
        with pytest.raises(OSError):
            mounts.open_below(inside, path)


def test_a_folder_of_anothers_is_not_attached(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(PermissionError, match="not a folder of user"):
        mounts.attach(descriptor, tmp_path, os.getuid() + 1)
    os.close(descriptor)
