"""How long an answer may be waited for: told to who waits, so that it need not be asked of the event loop.

The router gives each attempt a time. A cancel scope around every wait would keep it, at more than a tenth of
what a whole call costs, so connections may keep it themselves, as those of our own transport do. Around the
waits for any other stands a scope.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol

import anyio


class TimeUpError(Exception):
    """A wait took too long, or was cut short; whoever gave it its time knows what to say."""


class Timekeeper(Protocol):
    """Keeps the time of one request and its answer."""

    def within(self, seconds: float) -> AbstractContextManager[object]:
        """Around whatever is awaited of them; TimeUpError once that has taken so many seconds together."""
        ...

    def cut(self) -> bool:
        """End the wait that goes on, and at once those that would follow; whether one goes on."""
        ...


def timekeeper(connection: object) -> Timekeeper:
    """Who keeps the time of what a transport's `send` gave: itself, where it has the means."""
    if hasattr(connection, "within"):
        keeps_time: Any = connection
        itself: Timekeeper = keeps_time
        return itself
    return Scoped()


class Scoped:
    """Keeps a time by a cancel scope, around one wait after another."""

    __slots__ = ("_is_cut", "_scope")

    def __init__(self) -> None:
        self._is_cut = False
        self._scope: anyio.CancelScope | None = None

    def within(self, seconds: float) -> Scoped:
        """See `Timekeeper.within`."""
        self._scope = anyio.move_on_after(float("-inf") if self._is_cut else seconds)
        return self

    def cut(self) -> bool:
        """See `Timekeeper.cut`."""
        self._is_cut = True
        if self._scope is None:
            return False
        self._scope.cancel()
        return True

    def __enter__(self) -> None:
        """The wait begins."""
        if self._scope is not None:
            self._scope.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """The wait is over; TimeUpError if it was ended."""
        scope, self._scope = self._scope, None
        if scope is None:
            return None
        swallowed = scope.__exit__(exc_type, exc, traceback)
        if scope.cancelled_caught:
            raise TimeUpError
        return swallowed
