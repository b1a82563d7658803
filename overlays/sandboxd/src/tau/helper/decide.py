"""Have an instance that runs hold to a decision on one of the table's permissions."""

from tau import running
from tau.helper import attachments, instance, links
from tau.helper.refusal import RefusedError
from tau.permissions import PERMISSIONS, names_of
from tau.status import Status
from tau.wire import Decision


def decide(number: int, permission: str, decision: Decision) -> None:
    """Do it, by what the permission is about.

    :param number: the instance's.
    :raises RefusedError: when none has it, or its app does not declare what is to be allowed.
    """
    app = running.read(number)
    if app is None and number in [each for _, _, each in instance.running()]:
        raise RefusedError(Status.FAILED, "runs, and can't be told any more")
    if app is None:
        raise RefusedError(Status.NOT_THERE, "does not run any more")
    if permission not in names_of(app.permissions):
        if decision == Decision.ALLOW:
            raise RefusedError(Status.BAD_REQUEST, f"does not declare {permission}")
        return
    if PERMISSIONS[permission].zone and not app.link:
        raise RefusedError(Status.NOT_THERE, "has no link: this system has no network for apps")
    if PERMISSIONS[permission].zone:
        links.decide(app, permission, decision)
    else:
        attachments.decide(app, permission, decision)
