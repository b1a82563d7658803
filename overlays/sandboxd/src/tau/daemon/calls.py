"""What a method of sandboxd's gives back."""

from typing import Any

from tau.daemon.helper import HelperError
from tau.daemon.store import StoreError
from tau.status import Status

#: The signature of the answer, and its values.
Reply = tuple[str, list[Any]]


def of_store(error: StoreError) -> HelperError:
    """Return the refusal for a store that fails, as the caller is told."""
    return HelperError(Status.STORE, f"has no permissions: what was granted {error}")
