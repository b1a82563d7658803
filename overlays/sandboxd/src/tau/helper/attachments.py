"""What is attached to an instance, files and devices: said in its file, done by a unit (tau-files@.service).

That unit mounts in the system's own mount namespace, and the kernel has it appear in the app's (mount_namespaces(7),
propagation): nobody enters the app's.
"""

import subprocess
import time

from tau import running
from tau.helper import instance, instances, lock
from tau.helper.refusal import RefusedError
from tau.permissions import mask_of
from tau.running import Running
from tau.status import Status
from tau.wire import Decision

#: Seconds that the unit may take, and that an instance may take until it has begun; between two looks at that.
_MAX_SECONDS, _MAX_START, _LOOK = 60, 300, 0.05


def decide(app: Running, permission: str, decision: Decision) -> None:
    """Attach what a permission is about to an instance that runs, or take it away; what is open stays open.

    :raises RefusedError: when it does not run any more, or that can't be done: the next decision tries again.
    """
    bit = mask_of([permission])
    with lock.held():
        now = _now(app)
        instances.write(now._replace(wanted=now.wanted | bit if decision == Decision.ALLOW else now.wanted & ~bit))
    carry_out(app)


def carry_out(app: Running) -> None:
    """Have what is wanted done, and write down that it is.

    :raises RefusedError: as :func:`decide`.
    """
    # While the app is being started its unit can't be told anything, and has read the file, or not.
    _wait_until_it_has_begun(app)
    before = _now(app)
    command = ["systemctl", "reload", "--", instance.attached_unit(app.name)]
    try:
        done = subprocess.run(command, check=False, timeout=_MAX_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        done = False
    with lock.held():
        now = _now(app)
        if not done:
            raise RefusedError(Status.FAILED, "keeps what it has; the journal says why it can't be changed")
        # Another decision may have come meanwhile, which is not done yet.
        same = ~(before.wanted ^ now.wanted)
        instances.write(now._replace(attached=before.wanted & same | now.attached & ~same))


def _now(app: Running) -> Running:
    now = running.read(app.number)
    if now is None:
        raise RefusedError(Status.NOT_THERE, "does not run any more")
    return now


def _wait_until_it_has_begun(app: Running) -> None:
    """Wait until its namespaces are made, so that what is mounted appears in them."""
    deadline = time.monotonic() + _MAX_START
    while time.monotonic() < deadline:
        try:
            if instances.has_begun(app):
                return
        except FileNotFoundError:
            break
        time.sleep(_LOOK)
    raise RefusedError(Status.NOT_THERE, "does not run")
