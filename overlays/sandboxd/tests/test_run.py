"""How an app is started: what its user can say, and what becomes of it in the unit."""

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tau import launch
from tau.helper import app_profile, instance, instances, mounts, nodes, places, run
from tau.launch import Launch, LaunchError
from tau.permissions import mask_of
from tau.record import Record
from tau.running import Running
from tau.seccomp_groups import ADDITIONS
from tau.ticket import Asked, Wish

APP = Record(1000, "org.example.app", (1, 0, 0, 0), 0, 0, b"h" * 32, b"s" * 32, ("bin/app", "--first"))
_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(_words, max_size=20), st.booleans(), st.sampled_from(["", "xterm-256color"]))
def test_what_is_said_arrives(arguments: list[str], ephemeral: bool, terminal: str) -> None:
    folders, folder = ("Texte", "", "a b/Müsik", "", ""), "/run/tau/files/documents/x y"
    said = Launch(tuple(arguments), ephemeral, terminal, "de_DE.UTF-8", folders, folder, 2**64 - 1)
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
        Launch(folders=("..", "", "", "", "")),
        Launch(folders=(".ssh", "", "", "", "")),
        Launch(folders=("Documents",)),
        Launch(folder="/etc"),
        Launch(folder="/run/tau/files2"),
        Launch(folder="/run/tau/files/\0"),
        Launch(folder="/run/tau/files/" + "x" * 4096),
    ],
)
def test_what_nobody_can_say(said: Launch) -> None:
    with pytest.raises(LaunchError):
        said.pack()


def test_a_terminal_of_another_form_is_none() -> None:
    assert launch.of_form("../../x", "C.UTF-8") == ("", "C.UTF-8")


def command(app: Record = APP, how: Launch | None = None) -> list[str]:
    begins = Running(app.uid, app.app, app.signer, app.permissions, 7)
    return run.command(app, how or Launch(), begins, Path("/run/tau/pipes/app-tau-1000-org.example.app-00000007"))


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


def test_what_one_in_the_background_says_is_kept() -> None:
    """In the journal, under its id; what it reads is nothing. Of any, PID 1 says whose it is with each line."""
    begins = Running(APP.uid, APP.app, APP.signer, APP.permissions, 7)
    pipe = Path("/run/tau/pipes/app-tau-1000-org.example.app-00000007")
    words = run.command(APP, Launch(), begins, pipe, background=True)
    assert "--pipe" not in words and "--pipe" in command()
    streams = [word for word in words if "=Standard" in word]
    assert streams == [f"--property=Standard{each}" for each in ("Input=null", "Output=journal", "Error=journal")]
    fields = (f"LogExtraFields=TAU_USER={APP.uid}", f"LogExtraFields=TAU_APP={APP.app}")
    for each in (f"SyslogIdentifier={APP.app}", *fields):
        assert f"--property={each}" in words and f"--property={each}" in command()
    assert not [word for word in command() if "=Standard" in word]


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


def test_what_is_there_when_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that are granted; a device when it is asked for, which comes after the app's namespace is made."""
    declared = mask_of(["camera", "filesystem:ro", "filesystem:rw:documents"])
    app = APP._replace(permissions=declared)
    begun: list[Running] = []
    monkeypatch.setattr(places, "APPS", tmp_path / "apps")
    monkeypatch.setattr(places, "PIPES", tmp_path)
    (tmp_path / "apps/1000/org.example.app/h").mkdir(parents=True)
    (tmp_path / "apps/1000/org.example.app/current").symlink_to("h")
    (tmp_path / "apps/1000/org.example.app/h/record").write_bytes(app.pack())
    monkeypatch.setattr(instances, "write", begun.append)
    asked = Asked(1000, Wish.RUN, APP.app, (), Launch(folders=("Texte", "", "", "", "")).pack())
    run.start(asked, mask_of(["camera", "filesystem:ro", "filesystem:rw:documents", "lan"]), mask_of(["filesystem:ro"]))
    (first,) = begun
    assert first.wanted == first.attached == mask_of(["filesystem:rw:documents"])
    assert (first.permissions, first.link, first.folders[0]) == (declared, 0, "Texte")
    # What can't be written down leaves nothing.
    monkeypatch.setattr(instances, "write", lambda app: 1 / 0)
    before = set(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError):
        run.start(asked)
    assert set(tmp_path.iterdir()) == before


def test_a_permission_of_files() -> None:
    """Asked for before its own program, bound where it is attached, and nothing hidden in its profile."""
    app = APP._replace(permissions=mask_of(["filesystem:ro", "filesystem:rw:documents", "filesystem:rw:picked"]))
    words = command(app, Launch(folder="/run/tau/files/music"))
    begin = words.index("/usr/lib/tau/app-begin")
    asked = ["filesystem:ro", "filesystem:rw:documents", "filesystem:rw:picked"]
    filtered = ["/usr/bin/setpriv", "--seccomp-filter", "/usr/lib/tau/sandbox/folders.bpf", "--", "/usr/bin/env"]
    assert words[begin + 1 : words.index("-i")] == ["/run/tau/files/music", *asked, "--", *filtered]
    assert "TAU_PORTAL=3" in words and not [word for word in command() if "TAU_PORTAL" in word]
    assert "/usr/lib/tau/sandbox/arguments.bpf" in command()
    name = "app-tau-1000-org.example.app-00000007"
    assert f"--property=BindPaths=/run/tau/attached/{name}/files:/run/tau/files" in words
    assert f"--property=BindsTo=tau-files@{name}.service" in words
    assert "--property=BindReadOnlyPaths=/run/tau/portal" in words
    text = app_profile.text(app)
    for rule in (
        "/run/tau/files/documents/** rwlk,",
        "/run/tau/files/music/** rk,",
        "deny /run/tau/files/music/{,**/}.** rwlkmx,",
        "/run/tau/files/picked/** rwlk,",
    ):
        assert f"  {rule}\n" in text
    # Another's that is hidden could be moved there.
    assert "deny /run/tau/files/picked/{,**/}.** rwlkmx,\n" in text
    assert "files/home" not in text and "/dev/" not in text
    app = APP._replace(permissions=mask_of(["filesystem:ro:home", "filesystem:rw:picked"]))
    text = app_profile.text(app)
    assert "deny /run/tau/files/picked" not in text
    for rule in ("{,**/}.** rwlkmx,", "fscrypt_recovery_readme.txt rwlkmx,", "bin{,/,/**} wl,"):
        assert f"  deny /run/tau/files/home/{rule}\n" in text
    assert "/run/tau/files" not in app_profile.text(APP) and "tau-files" not in " ".join(command())


@pytest.mark.parametrize(
    ("permission", "classes", "bound", "rule"),
    [
        ("camera", ("video0", "video12", "vbi0", "radio0"), ["video0", "video12"], "/dev/video[0-9]* rw,"),
        (
            "microphone",
            ("pcmC0D0c", "pcmC0D0p", "controlC0", "timer", "card0"),
            ["snd/controlC0", "snd/pcmC0D0c"],
            "/dev/snd/{pcmC[0-9]*D[0-9]*c,controlC[0-9]*} rw,",
        ),
    ],
)
def test_a_permission_of_devices(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    permission: str,
    classes: tuple[str, ...],
    bound: list[str],
    rule: str,
) -> None:
    monkeypatch.setattr(nodes, "_CLASSES", tmp_path)
    app = APP._replace(permissions=mask_of([permission]))
    assert not [word for word in command(app) if "/dev/" in word and "BindPaths" in word]  # no driver is loaded
    for name in classes:
        (tmp_path / {"camera": "video4linux", "microphone": "sound"}[permission] / name).mkdir(parents=True)
    words = [word.rpartition(":")[2] for word in command(app) if "=BindPaths=-" in word]
    assert words == [f"/dev/{name}" for name in bound]
    assert [word for word in command(app) if "DeviceAllow=char-" in word]
    assert f"  {rule}\n" in app_profile.text(app) and "/dev/" not in app_profile.text(APP)


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
    descriptor = mounts.open_below(inside, "share/app", os.getuid())
    assert os.fstat(descriptor).st_ino == (inside / "share/app").stat().st_ino
    os.close(descriptor)
    (inside / "link").symlink_to(outside)
    (inside / "share/last").symlink_to("app")
    (inside / "share/file").write_text("")
    for path in ("link/app", "share/last", "../outside/app", str(outside / "app"), "share/file", "share/nothing"):
        with pytest.raises(OSError):
            mounts.open_below(inside, path, os.getuid())


def test_a_folder_of_anothers_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    with pytest.raises(PermissionError, match="it is not user"):
        mounts.open_below(tmp_path, "share", os.getuid() + 1)


def told(tmp_path: Path, unit: str, start: str = "exit 0", manager: str = "active") -> str:
    """What is told of an instance whose unit does `unit`, and of which systemd-run says that it has succeeded.

    :param manager: how its user's manager is.
    """
    pipe, said, group = tmp_path / "pipe", tmp_path / "said", tmp_path / "group"
    # systemctl(1), as far as that is asked for here.
    programs = tmp_path / "programs"
    programs.mkdir(exist_ok=True)
    program = programs / "systemctl"
    program.write_text(f'#!/bin/sh\n[ "$*" = "--quiet is-active user@1000.service" ] && [ {manager} = active ]\n')
    program.chmod(0o755)
    os.mkfifo(pipe)
    said.touch()
    here, there = socket.socketpair()
    with here, there:
        # As systemd opens it for the unit's first process (OpenFile=).
        inside = ["sh", "-c", f'exec 3<>"$1"; ( {unit} ); {start}', "sh", str(pipe)]
        shell = ["sh", "-c", run._TELL_STATUS, "sh", str(pipe), str(said), str(group), "user@1000.service"]
        with_it = ["bash", "-c", f'exec "$@" 3>&{there.fileno()}', "bash"]
        path = {"PATH": f"{programs}:{os.environ['PATH']}"}
        subprocess.run([*with_it, *shell, *inside], check=True, pass_fds=(there.fileno(),), timeout=20, env=path)
        there.close()
        assert not pipe.exists() and not said.exists()
        return here.recv(64).decode()


@pytest.mark.parametrize(
    ("unit", "status"),
    [
        (f"set -- sh -c 'exit 7'; {run._SAY_HOW_IT_ENDS}", "7"),
        (f"set -- sh -c 'kill -TERM $$'; {run._SAY_HOW_IT_ENDS}", "143"),
        (f"set -- true; {run._SAY_HOW_IT_ENDS}", "0"),
        # All of it at once (SIGKILL): what of it had its status to tell is not there any more.
        ("echo began >&3", "137"),
        # What it depends on has failed.
        (":", "-"),
    ],
)
def test_how_it_ended_is_what_its_first_process_said(tmp_path: Path, unit: str, status: str) -> None:
    """systemd calls it a success where it was not told (PrivatePIDs=)."""
    assert told(tmp_path, unit) == status


def test_a_start_that_systemd_refuses_for_now_is_tried_again(tmp_path: Path) -> None:
    """What it needs is just being taken away: systemd-run fails at once, and nothing of the unit has begun."""
    once = f"[ -e {tmp_path}/tried ] || {{ : >{tmp_path}/tried; exit 1; }}; set -- sh -c 'exit 5'"
    assert told(tmp_path, f"{once}; {run._SAY_HOW_IT_ENDS}", 'exit "$?"') == "5"
    assert told(tmp_path, "exit 203", 'exit "$?"') == "-"
    # After the user's last logout the home is locked: nothing begins there any more.
    (tmp_path / "tried").unlink()
    assert told(tmp_path, f"{once}; {run._SAY_HOW_IT_ENDS}", 'exit "$?"', "deactivating") == "-"
