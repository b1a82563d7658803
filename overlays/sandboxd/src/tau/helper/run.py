"""Start an app: the unit that it runs in, from the records and the tables alone. systemd makes it (systemd-run(1))."""

import fcntl
import os
import stat
from pathlib import Path
from typing import NamedTuple

from tau import launch, link, record, running
from tau.folders import INSIDE
from tau.helper import app_profile, instance, instances, kept, links, nodes, places
from tau.helper.places import HOME, USER
from tau.helper.refusal import RefusedError
from tau.launch import Launch
from tau.names import is_id
from tau.permissions import PERMISSIONS, attached_of, families_of, mask_of, names_of
from tau.portal import FILE as PORTAL_FILE
from tau.portal import SOCKET as PORTAL
from tau.portal import VARIABLE as PORTAL_VARIABLE
from tau.record import Record
from tau.running import Running
from tau.status import Status
from tau.ticket import Asked, Wish

#: Most instances of one user's apps that run, or begin to.
_MOST = 100
#: Until the app's own program is reached, every program has its whole path: what the bundle holds is in the app's PATH.
_SHELL, _SETPRIV, _ENV = "/usr/bin/dash", "/usr/bin/setpriv", "/usr/bin/env"
#: Asks for what no program can be held at, before the app's own begins (:mod:`tau.begin`).
_BEGIN = "/usr/lib/tau/app-begin"
_ARGUMENTS_FILTER, _FOLDERS_FILTER = "/usr/lib/tau/sandbox/arguments.bpf", "/usr/lib/tau/sandbox/folders.bpf"
#: The unit's first process says how the app ended, on a pipe that systemd opens for it as root's (OpenFile=), and that
#: the app has no way to: systemd may not know. With PrivatePIDs= that process is not its child when it is told of it,
#: and who is no child of its is not waited for (unit_kill_context(), cgroup events), and has ended with success.
#: This one, process 1 of its namespace, is not ended by a signal whose action is the default (pid_namespaces(7)).
_SAY_HOW_IT_ENDS = 'echo began >&3; "$@" 3>&-; status=$?; echo $status >&3; exit $status'
#: The first process of the session that dumb-init(1) begins takes its terminal by opening it (credentials(7)),
#: whichever of its three it is; the init itself has none, and hands signals on.
_TAKE_TERMINAL = 'for n in 0 1 2; do [ ! -t $n ] || { : </dev/fd/$n; break; }; done; exec "$@"'
#: The unit's end is told to whoever asked, on the socket that the ticket came with; "-" when it never began. One that
#: began and has not said how it ended was killed (SIGKILL), as a whole. Nothing is said on the user's own streams
#: afterwards, which nobody may read. Where the files of the app are just being taken away, after its last instance,
#: systemd refuses to turn round, and systemd-run fails at once; it must not be told to (--job-mode=replace), since it
#: would also turn round at the user's last logout. So it is tried again, for some ten seconds, and while the user's
#: manager is there: after it the home is locked.
_TELL_STATUS = """
pipe=$1 said=$2 group=$3 manager=$4 tries=0; shift 4; exec 4<>"$pipe"
while "$@" 3>&- 4>&-; run=$?; echo - >&4; read -r began <&4; [ "$began$run" = -1 ] && [ "$tries" -lt 40 ] &&
    systemctl --quiet is-active "$manager"; do
    tries=$((tries + 1)); sleep 0.2
done
exec </dev/null >/dev/null 2>&1; [ "$began" = - ] || read -r status <&4
case $began$status in -) status=- ;; began-) status=137 ;; esac
printf %s "$status" >&3
[ -e "$group/cgroup.procs" ] || rm -f "$pipe" "$said"
"""


#: Where the streams of one in the background lead. It has no way to the journal but its standard output and error, so
#: that all it can say there is text, under its own id (app-tau-.service.d).
_JOURNAL = (("StandardInput", "null"), ("StandardOutput", "journal"), ("StandardError", "journal"))


class Started(NamedTuple):
    """An instance that is ready to be started.

    :param uid: of its user.
    :param number: the instance's.
    :param command: what waits for its end.
    :param pipe: on which its first process says how it ended.
    """

    uid: int
    number: int
    command: list[str]
    pipe: Path

    @property
    def said(self) -> Path:
        """What is said of it as long as it runs."""
        return running.path(self.number)

    @property
    def manager(self) -> str:
        """The unit of its user's manager."""
        return instance.manager(self.uid)

    @property
    def control_group(self) -> Path:
        """Where it is while it runs."""
        return instance.control_group(f"{self.pipe.name}.service")

    def become(self, asked: Asked, ticket: int) -> None:
        """Turn this process into the one that waits, with the user's files as its own; it does not return.

        :raises OSError: as execve(2).
        """
        # One in the background gets none of anybody's: systemd gives it the journal.
        files = asked.files or (os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC),) * 3
        above = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 16) for file in (*files, ticket)]
        for target, source in enumerate(above):
            os.dup2(source, target)
        shell = ["sh", "-c", _TELL_STATUS, "sh", str(self.pipe), str(self.said), str(self.control_group), self.manager]
        # What systemd-run has to say is for the journal; standard error is the app's.
        environment = {"PATH": "/usr/bin", "SYSTEMD_LOG_TARGET": "journal"}
        os.execve("/bin/sh", [*shell, *self.command], environment)  # noqa: S606 - a constant, and its words

    def forget(self) -> None:
        """Leave nothing of an instance that is not started after all: nobody has taken the answer."""
        self.pipe.unlink(missing_ok=True)
        self.said.unlink(missing_ok=True)


def start(asked: Asked, allowed: int = 0, refused: int = 0) -> Started:
    """Find out how the app of a ticket is started.

    :param allowed: permissions that its user has granted, as a number; `refused`: those that they have denied.
    :raises RefusedError: when there is no such app, or too many run.
    """
    if asked.wish not in (Wish.RUN, Wish.BACKGROUND) or not is_id(asked.app):
        raise RefusedError(Status.NO_TICKET, "does not ask for the start of an app")
    try:
        how = launch.unpack(asked.details)
    except launch.LaunchError as error:
        raise RefusedError(Status.NO_TICKET, str(error)) from None
    current = places.app_folder(asked.uid, asked.app) / places.CURRENT
    if not current.is_symlink():
        raise RefusedError(Status.NOT_THERE, "is not installed")
    try:
        app = record.read(current / places.RECORD)
    except record.RecordError:
        raise RefusedError(Status.FAILED, "has a record that can't be read; remove it, and install it anew") from None
    if not all(map(_is_stream, asked.files)):
        raise RefusedError(Status.NO_TICKET, "gets pipes and a terminal alone")
    # By their pipes, which are there from now until the end.
    if len(list(places.PIPES.glob(f"{instance.prefix(asked.uid)}*"))) >= _MOST:
        raise RefusedError(Status.NO_SPACE, f"is one too many: {_MOST} apps of yours run")
    kept.prepare(app, how.data)
    number = int.from_bytes(os.urandom(4))
    while running.path(number).exists():
        number = int.from_bytes(os.urandom(4))
    pipe = places.PIPES / instance.name(asked.uid, asked.app, number)
    os.mkfifo(pipe, 0o600)
    # Folders are there when it begins; devices when it asks for them, which is the last thing before its own program.
    granted = names_of(app.permissions & allowed & ~refused)
    attached = mask_of(name for name in granted if PERMISSIONS[name].folders)
    begins = Running(app.uid, app.app, app.signer, app.permissions, number, 0, attached, attached, how.folders)
    try:
        if families_of(app.permissions) and links.RULES.exists():
            begins = links.allocate(begins, allowed, refused)
        elif app.permissions:
            instances.write(begins)
    except BaseException:
        instances.forget(begins)
        raise
    background = asked.wish == Wish.BACKGROUND
    return Started(app.uid, number, command(app, how, begins, pipe, background=background), pipe)


def command(app: Record, how: Launch, begins: Running, pipe: Path, *, background: bool = False) -> list[str]:
    """Return the command that starts the unit of an instance and waits for its end.

    :param background: whether what it says goes to the journal, not to whoever has started it.
    """
    unit = f"{begins.name}.service"
    words = ["systemd-run", "--quiet", "--wait", "--collect", "--service-type=exec"]
    words += [f"--property={name}={value}" for name, value in _JOURNAL] if background else ["--pipe"]
    words += ["--expand-environment=no", f"--unit={unit}", f"--slice={instance.slice_of(app.uid)}", f"--uid={app.uid}"]
    words += [f"--property={name}={value}" for name, value in _properties(app, how, begins, pipe)]
    inside = [
        _SHELL,
        "-c",
        _SAY_HOW_IT_ENDS,
        "sh",
        f"/usr/bin/{instance.INIT}",
        "--",
        _SHELL,
        "-c",
        _TAKE_TERMINAL,
        "sh",
    ]
    asked = attached_of(app.permissions)
    inside += [_BEGIN, how.folder, *asked, "--"] if asked else []
    folders = any(PERMISSIONS[name].folders for name in asked)
    inside += [_SETPRIV, "--seccomp-filter", _FOLDERS_FILTER if folders else _ARGUMENTS_FILTER, "--", _ENV, "-i"]
    inside += [f"{name}={value}" for name, value in _environment(app, how).items()]
    return [*words, "--", *inside, f"/app/{app.command[0]}", *app.command[1:], *how.arguments]


def _is_stream(descriptor: int) -> bool:
    """Whether it is a pipe or a terminal: of what else PID 1 is handed, who knows what closing it does."""
    return stat.S_ISFIFO(os.fstat(descriptor).st_mode) or os.isatty(descriptor)


def _properties(app: Record, how: Launch, begins: Running, pipe: Path) -> list[tuple[str, str]]:
    """What differs from app to app; all else is in app-tau-.service.d."""
    files, manager = instance.bundle_unit(app), instance.manager(app.uid)
    mounted = places.mounted(app.uid, app.app, app.root_hash)
    found = [
        ("Description", f"App {app.app} of user {app.uid}"),
        # The last session's end is the app's: its data are in the home that is locked then.
        ("BindsTo", f"{files} {manager}"),
        ("After", f"{files} {manager}"),
        ("Wants", kept.unit(app)),
        # By these, which nobody else can give to what PID 1 says, a user's own lines are found (tau.helper.log).
        *(("LogExtraFields", f"{name}={value}") for name, value in instance.log_fields(app.uid, app.app)),
        ("SyslogIdentifier", app.app),
        ("AppArmorProfile", instance.profile(app)),
        ("BindReadOnlyPaths", f"{mounted}/bundle:/app"),
        ("BindReadOnlyPaths", f"{mounted}/passwd:/etc/passwd"),
        ("BindReadOnlyPaths", f"{mounted}/group:/etc/group"),
        ("OpenFile", str(pipe)),
        ("WorkingDirectory", HOME),
    ]
    if how.ephemeral:
        found.append(("TemporaryFileSystem", f"{HOME}:mode=0700,uid={app.uid},size=10%"))
    else:
        found.append(("BindPaths", f"{mounted}/data:{HOME}"))
    if begins.link:
        name = link.text(begins.link)
        found += [
            ("JoinsNamespaceOf", f"tau-net@{name}.service"),
            ("BindsTo", f"tau-link@{name}.service"),
            ("After", f"tau-link@{name}.service"),
            ("BindReadOnlyPaths", "/usr/lib/tau/sandbox/resolv.conf:/etc/resolv.conf"),
        ]
    if app.permissions:
        found.append(("BindReadOnlyPaths", PORTAL))
    found += _attached(begins)
    found += [("RestrictAddressFamilies", family) for family in families_of(app.permissions)]
    found += [("SystemCallFilter", name) for name in app_profile.additions(app)]
    return found


def _attached(begins: Running) -> list[tuple[str, str]]:
    """Where files and devices appear that are attached to an instance: what is mounted there later does, too."""
    declared = attached_of(begins.permissions)
    if not declared:
        return []
    unit, top = instance.attached_unit(begins.name), places.ATTACHED / begins.name
    found = [("BindsTo", unit), ("After", unit)]
    if any(PERMISSIONS[name].folders for name in declared):
        found.append(("BindPaths", f"{top}/files:{INSIDE}"))
    for name in declared:
        found += [("BindPaths", f"-{top}/devices/{node}:/dev/{node}") for node in nodes.of(name)]
        devices = PERMISSIONS[name].nodes
        if devices:
            found.append(("DeviceAllow", f"{devices.majors} rw"))
    return found


def _environment(app: Record, how: Launch) -> dict[str, str]:
    """Nothing of the user's environment, but how their terminal and language are called."""
    found = {"HOME": HOME, "USER": USER, "LOGNAME": USER, "SHELL": "/bin/sh", "PATH": "/app/bin:/usr/bin"}
    found["TAU_APP"] = app.app
    if attached_of(app.permissions):
        found[PORTAL_VARIABLE] = str(PORTAL_FILE)
    if how.terminal:
        found["TERM"] = how.terminal
    if how.language:
        found["LANG"] = how.language
    return found
