"""A break: what is spoilt on purpose, so that a check of an overlay is seen to fail."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from qemu.commandline import Settings

_UNIT = """\
[Unit]
Description=Break on purpose, brought by a credential
DefaultDependencies=no
ConditionPathExists={where}/etc/initrd-release
After={after}
Before={before}

[Service]
Type=oneshot
RemainAfterExit=yes
ImportCredential={script}
ExecStart=/bin/bash -e %d/{script}
"""


@dataclass(frozen=True)
class Boot:
    """What a machine of a check's own is booted with, for breaks that must be there before the check can act.

    :param kernel: words behind the sealed kernel command line.
    :param command: run as root in the booted system before sysinit.target.
    :param initrd: the same in the initrd, before the disk is looked at.
    :param credentials: handed in beside (and in place of) those of the check.
    """

    kernel: str = ""
    command: str = ""
    initrd: str = ""
    credentials: Mapping[str, bytes] = field(default_factory=dict)

    def settings(self, usual: Settings) -> Settings:
        """Return the settings of the broken machine."""
        handed_in = dict(usual.credentials)
        for name, script, where, after, before in (
            ("tau-break", self.command, "!", "local-fs.target", "sysinit.target network-pre.target"),
            ("tau-break-initrd", self.initrd, "", "", "tau-medium.service tau-partitions.service tau-state.service"),
        ):
            if script:
                unit = _UNIT.format(where=where, after=after, before=before, script=name)
                handed_in[name] = script.encode()
                handed_in[f"systemd.extra-unit.{name}.service"] = unit.encode()
                handed_in[f"systemd.unit-dropin.sysinit.target~60-{name}"] = f"[Unit]\nWants={name}.service\n".encode()
        words = f"{usual.kernel_arguments} {self.kernel}".strip()
        return replace(usual, kernel_arguments=words, credentials=handed_in | dict(self.credentials))


@dataclass(frozen=True)
class Edit:
    """A change of an overlay's file, for breaks that are part of the image.

    :param path: below overlays/.
    :param pattern: a regular expression; it must be found (each line begins anew with ``^``).
    :param replacement: as for re.sub.
    """

    path: str
    pattern: str
    replacement: str = ""


@dataclass(frozen=True)
class Break:
    """One break of one or more checks, made in one of three ways.

    :param check: a check's function, for all of its parameters, or ``function[parameters]``; several in a tuple.
    :param what: what is broken, in a few words; unique among the breaks of a check.
    :param says: a regular expression found in the statement of the check that fails, or in what it says: the check
        must fail for this reason, and not for another.
    :param guest: a command run as root in the running system, once the fixtures of the check are set up.
    :param boot: what the machines that the check boots itself are booted with.
    :param image: changes of overlays, in an image that is built with those of all breaks.
    """

    check: str | tuple[str, ...]
    what: str
    says: str
    guest: str = ""
    boot: Boot | None = None
    image: tuple[Edit, ...] = ()

    @property
    def kind(self) -> str:
        """``guest``, ``boot`` or ``image``."""
        (kind,) = [name for name in ("guest", "boot", "image") if getattr(self, name)]
        return kind

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks that it is for."""
        return (self.check,) if isinstance(self.check, str) else self.check

    def breaks(self, function: str, parameters: str) -> bool:
        """Whether it is for this check; `parameters` is what pytest shows in brackets."""
        return function in self.checks or f"{function}[{parameters}]" in self.checks


def over(path: str, command: str) -> str:
    """Return a command that lays a changed copy over a file of the image.

    :param command: a filter that reads the file and writes what it becomes; the mode and the owner stay.
    """
    copy = "/run/break" + path.replace("/", "-")
    change = f"cp -a {path} {copy}; {command} <{path} >{copy}"
    return f"{change}; if cmp {path} {copy}; then echo nothing changed; exit 1; fi; mount --bind {copy} {path}"


def sed(path: str, *edits: str) -> str:
    """Return a command that lays a copy of a file over it, edited by sed(1)'s commands."""
    return over(path, "sed -E " + " ".join(f"-e '{edit}'" for edit in edits))


def drop_in(unit: str, text: str, *, restart: bool = False) -> str:
    """Return a command that puts lines behind those of a unit.

    :param text: sections and settings, as printf(1) takes them.
    """
    folder = f"/run/systemd/system/{unit}.d"
    command = f"mkdir -p {folder}; printf '{text}' >{folder}/99-break.conf; systemctl daemon-reload"
    return f"{command}; systemctl restart {unit}" if restart else command


def listener(address: str, *options: str) -> str:
    """Return a command that starts a service which listens on a port or a path, and waits until it does.

    :param address: as for systemd-socket-activate(1).
    """
    words = " ".join(("systemd-socket-activate", *options, f"--listen={address}", "cat"))
    return f"systemd-run --quiet --unit=listens --property=Type=exec {words}; sleep 2"
