"""turnout's Router over a transport that costs next to nothing: the router's own share of a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Self

from .. import payloads
from . import Client, Task
from .turnout_router import Turnout, routed

_FREE = nullcontext()


class Ready:
    """An answer that is here already; its own context manager, and its own timekeeper, as real ones are."""

    def __init__(self, media_type: str, pieces: list[bytes]) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": media_type, "x-request-id": "req_4f0c2d6e8b1a"}
        self._pieces = pieces

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pieces.clear()

    def within(self, seconds: float) -> AbstractContextManager[None]:  # noqa: ARG002
        """Around waits that take no time."""
        return _FREE

    def cut(self) -> bool:
        """Nothing is ever waited for."""
        return False

    async def read(self) -> bytes:
        """The next piece."""
        return self._pieces.pop() if self._pieces else b""

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces that are left."""
        while piece := await self.read():
            yield piece


class Nowhere:
    """A transport that sends nothing."""

    def __init__(self) -> None:
        self._whole = payloads.completion()
        self._events = [*payloads.events()][::-1]

    def send(self, request: Any, *, connect_timeout: float | None, max_bytes: int | None = None) -> Ready:  # noqa: ARG002
        """The answer to any request."""
        if request.stream:
            return Ready("text/event-stream", [*self._events])
        return Ready("application/json", [self._whole])

    def prepare(self) -> None:
        """There is nothing to do."""

    async def aclose(self) -> None:
        """There is nothing to do."""


async def connect(task: Task) -> Client:
    """A client for a task."""
    return Turnout(await routed(task, transport=Nowhere()).__aenter__())
