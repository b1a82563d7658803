"""Give an instance a link to the network, and say what may pass there: elements of a map of nftables (network.nft)."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tau import link, running
from tau.helper import instances, lock
from tau.helper.refusal import RefusedError
from tau.permissions import PERMISSIONS, mask_of, names_of
from tau.running import Running
from tau.status import Status
from tau.wire import Decision

#: The rules that the links are about; a system that is never on a network has neither.
RULES = Path("/usr/lib/tau/sandbox/network.nft")
_DEVICES = Path("/sys/class/net")
_MAP = "element inet tau_apps decided"
_MAX_SECONDS = 60


def allocate(app: Running, allowed: int, refused: int) -> Running:
    """Give an instance that is about to start a link, and say what of it is decided; returns it with its link.

    Permissions that the app does not declare are refused, whatever is said.

    :param allowed: permissions, as a number (:data:`tau.permissions.BITS`); the same for `refused`.
    :raises RefusedError: when none is free, or the firewall does not take it.
    """
    declared = _networks(app.permissions)
    with lock.held():
        # A device can be there longer than what says whose it is: it goes with the last that runs in its namespace.
        taken = {each for each, other in link.every().items() if running.path(other).exists()} | _devices()
        free = next((each for each in range(link.FIRST, link.LAST + 1) if each not in taken), None)
        if free is None:
            raise RefusedError(Status.NO_SPACE, "gets no link to the network: all are taken")
        every = _networks(mask_of(PERMISSIONS))
        lines = _undecided(free, every)
        for name in every:
            bit = mask_of([name])
            if name not in declared or refused & bit:
                lines.append(_element(free, name, Decision.REFUSE))
            elif allowed & bit:
                lines.append(_element(free, name, Decision.ALLOW))
        _nft(lines)
        linked = app._replace(link=free)
        instances.write(linked)
        path = link.LINKS / link.text(free)
        path.unlink(missing_ok=True)
        path.symlink_to(link.target(app.number))
    return linked


def decide(app: Running, permission: str, decision: Decision) -> None:
    """Say what may pass the link of an instance that runs. What it has open ends when it may not any more.

    :raises RefusedError: when its link is another's by now, or it has none.
    """
    number = app.link
    with lock.held():
        if running.of_link(number) != app:
            raise RefusedError(Status.NOT_THERE, "does not run any more")
        had = _allowed(number, permission)
        lines = _undecided(number, [permission])
        if decision != Decision.ASK:
            lines.append(_element(number, permission, decision))
        _nft(lines)
    if had and decision != Decision.ALLOW:
        _cut(number, permission)


def _networks(mask: int) -> list[str]:
    """Those permissions of a number that are about a link."""
    return [name for name in names_of(mask) if PERMISSIONS[name].zone]


def _devices() -> set[int]:
    """The links whose device is there."""
    found = (link.of_text(path.name.removeprefix("tau-")) for path in _DEVICES.glob("tau-*.*"))
    return {each for each in found if each is not None}


def _key(number: int, permission: str) -> str:
    return f"{link.device(number)} . {PERMISSIONS[permission].zone}"


def _element(number: int, permission: str, decision: Decision) -> str:
    verdict = "allowed" if decision == Decision.ALLOW else "refused"
    return f"add {_MAP} {{ {_key(number, permission)} : goto {verdict} }}"


def _undecided(number: int, permissions: Iterable[str]) -> list[str]:
    return [f"destroy {_MAP} {{ {_key(number, permission)} }}" for permission in permissions]


def _allowed(number: int, permission: str) -> bool:
    command = ["/usr/sbin/nft", f"get {_MAP} {{ {_key(number, permission)} }}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MAX_SECONDS)
    return "goto allowed" in done.stdout


def _nft(lines: list[str]) -> None:
    """Have a few changes made, all of them or none (nft(8))."""
    text = "".join(f"{line}\n" for line in lines)
    command = ["/usr/sbin/nft", "-f", "-"]
    try:
        # Twice: another's change at the same time has the kernel refuse one of them (ERESTART, nfnetlink).
        for _ in range(2):
            done = subprocess.run(command, input=text, text=True, check=False, timeout=_MAX_SECONDS)
            if not done.returncode:
                return
    except subprocess.TimeoutExpired:
        raise RefusedError(Status.FAILED, "gets no network: the firewall does not answer") from None
    raise RefusedError(Status.FAILED, "gets no network: the firewall does not take it; the journal says more")


def _cut(number: int, permission: str) -> None:
    """End what an app has open, by a unit in the app's network namespace (ss(8), --kill)."""
    local = " or ".join(f"dst {network}" for network in link.LOCAL)
    where = f"( {local} )" if PERMISSIONS[permission].zone == PERMISSIONS["lan"].zone else f"not ( {local} )"
    unit = f"tau-cut-{link.text(number)}-{os.urandom(4).hex()}.service"
    command = ["systemd-run", "--quiet", "--wait", "--collect", f"--unit={unit}"]
    command += [f"--property=JoinsNamespaceOf=tau-net@{link.text(number)}.service"]
    command += ["--", "/usr/bin/ss", "--kill", "--tcp", "--udp", "state", "connected", where]
    try:
        done = subprocess.run(command, check=False, timeout=_MAX_SECONDS)
    except subprocess.TimeoutExpired:
        raise RefusedError(Status.FAILED, "keeps what it has open: it could not be ended") from None
    if done.returncode:
        raise RefusedError(Status.FAILED, "keeps what it has open: it could not be ended; the journal says more")
