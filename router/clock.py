"""Time, as the router sees it: a clock that can be replaced, so that a test need not wait."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

import anyio


class Clock(Protocol):
    """What the router asks of a clock. Limits on the network run on the event loop's own time."""

    def monotonic(self) -> float:
        """Seconds that only ever grow, for measuring."""
        ...

    def now(self) -> datetime:
        """The time of day, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    monotonic = staticmethod(time.monotonic)
    """Seconds of the machine's monotonic clock; nothing stands between, for every call reads it often."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for real, on whichever engine runs."""
        await anyio.sleep(seconds)


class ManualClock:
    """A clock that stands still until it is told to move; sleeping moves it at once and is written down."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self.sleeps: list[float] = []
        """Every wait that was asked for, in seconds, in order."""

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    def now(self) -> datetime:
        """The start plus what has passed."""
        return self._start + timedelta(seconds=self._elapsed)

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Move forward without waiting; other tasks get their turn."""
        self.sleeps.append(seconds)
        self.advance(seconds)
        await anyio.lowlevel.checkpoint()
