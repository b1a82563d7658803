"""The sign of life that systemd waits for."""

import asyncio
import socket
from pathlib import Path

import pytest
from tau.daemon.watchdog import pings


def test_it_comes_twice_in_each_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(path)
        heard.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "200000")

        async def for_a_while() -> None:
            task = asyncio.ensure_future(pings())
            for _ in range(3):
                said = await asyncio.to_thread(heard.recv, 100)
                assert said == b"WATCHDOG=1"
            task.cancel()

        asyncio.run(for_a_while())


def test_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    asyncio.run(asyncio.wait_for(pings(), 5))
