"""A request that is not granted."""

from tau.status import Status


class RefusedError(Exception):
    """Why not: the reason follows "the bundle" or "the app", and may quote what a bundle says."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
