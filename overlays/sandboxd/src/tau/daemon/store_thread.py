"""The store in a thread of its own: a disk that is slow keeps nobody waiting but who asks of it."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from tau.daemon.store import Store

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class StoreThread:
    """Does what is asked of a store, one thing after another (sqlite3: a connection belongs to a thread)."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(1)

    async def do(
        self, method: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        """Have a method of the store called.

        :raises StoreError: as the method.
        """
        call = functools.partial(method, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
