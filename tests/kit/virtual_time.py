"""Programs whose sleeping takes no time: the clock jumps to the next timer once nobody can go on.

For programs that do not touch the network. A program in which nobody will ever go on is stopped.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - its event loop is what is replaced
import selectors
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import anyio
from trio.testing import MockClock

T = TypeVar("T")


def run_virtually(function: Callable[[], Awaitable[T]], backend: str) -> T:
    """What the program gives, run on that engine from time 0 on."""
    options: dict[str, Any] = (
        {"loop_factory": _VirtualLoop} if backend == "asyncio" else {"clock": MockClock(autojump_threshold=0)}
    )
    return anyio.run(function, backend=backend, backend_options=options)


class VirtualClock:
    """The router's clock on the time of a program that runs virtually."""

    def monotonic(self) -> float:
        """Seconds on the event loop's clock."""
        return anyio.current_time()

    def now(self) -> datetime:
        """The same as a time of day."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    async def sleep(self, seconds: float) -> None:
        """Wait, which takes no time."""
        await anyio.sleep(seconds)


class StuckError(Exception):
    """Nobody will ever go on."""


class _Selector(selectors.DefaultSelector):
    """Never waits: where nothing is ready it moves the loop's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise StuckError
            self.now += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now
