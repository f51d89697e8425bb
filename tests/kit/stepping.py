"""Coroutines that are counted at every suspension, and called off at one of them.

A call that is made again and again, called off at its first suspension, then at its second, until it comes
to its end, has been called off everywhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

import anyio

from turnout import ChatResponse
from turnout.providers.dialect import WireRequest
from turnout.providers.transport import Transport, WireResponse

T = TypeVar("T")


class Steps:
    """The suspensions of one call; at number `at`, counted from 1, it is called off."""

    def __init__(self, at: int, call_off: Callable[[], object]) -> None:
        self.taken = 0
        self._at = at
        self._call_off = call_off
        self._task = anyio.get_current_task().id

    def counted(self, awaitable: Awaitable[T]) -> Awaitable[T]:
        """The awaitable, its suspensions counted."""
        return _Counted(awaitable, self)

    def counted_elsewhere(self, awaitable: Awaitable[T]) -> Awaitable[T]:
        """The same, but for the task that made the steps, whose suspensions are counted further out."""
        return awaitable if anyio.get_current_task().id == self._task else _Counted(awaitable, self)

    def suspended(self) -> None:
        """One more suspension."""
        self.taken += 1
        if self.taken == self._at:
            self._call_off()


class _Counted(Generic[T]):
    def __init__(self, awaitable: Awaitable[T], steps: Steps) -> None:
        self._awaitable = awaitable
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, T]:
        awaiting = self._awaitable.__await__()
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                trap = awaiting.send(value) if error is None else awaiting.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            self._steps.suspended()
            value = error = None
            try:
                value = yield trap
            except BaseException as caught:  # noqa: BLE001 - it belongs to who is awaited
                error = caught


class SteppedTransport:
    """A transport whose waits count, whichever task waits, and which always waits, if only for a moment.

    It also counts what was opened and closed.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.steps: Steps | None = None
        self.opened = 0
        self.closed = 0

    def send(
        self, request: WireRequest, *, connect_timeout: float | None, max_bytes: int | None = None
    ) -> _Stepped:
        """See `Transport.send`."""
        sending = self._inner.send(request, connect_timeout=connect_timeout, max_bytes=max_bytes)
        return _Stepped(self, sending)

    def prepare(self) -> None:
        """See `Transport.prepare`."""
        self._inner.prepare()

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        await self._inner.aclose()

    def counted(self, awaitable: Awaitable[T]) -> Awaitable[T]:
        """The awaitable, counted where somebody counts."""
        return awaitable if self.steps is None else self.steps.counted_elsewhere(awaitable)


class _Stepped:
    def __init__(
        self, transport: SteppedTransport, sending: AbstractAsyncContextManager[WireResponse]
    ) -> None:
        self._transport = transport
        self._sending = sending

    async def __aenter__(self) -> WireResponse:
        self._response = await self._transport.counted(self._sending.__aenter__())
        try:
            await self._transport.counted(anyio.lowlevel.checkpoint())
        except BaseException:
            await self._sending.__aexit__(None, None, None)
            raise
        self._transport.opened += 1
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._transport.closed += 1
        await self._sending.__aexit__(exc_type, exc, traceback)

    @property
    def status(self) -> int:
        """See `WireResponse`."""
        return self._response.status

    @property
    def headers(self) -> Any:
        """See `WireResponse`."""
        return self._response.headers

    async def read(self) -> bytes:
        """See `WireResponse`."""
        await self._transport.counted(anyio.lowlevel.checkpoint())
        return await self._transport.counted(self._response.read())

    def chunks(self) -> Any:
        """See `WireResponse`."""
        return self._response.chunks()


async def takes_all(_response: ChatResponse) -> bool:
    """A function for `reject` that takes its time and rejects nothing."""
    await anyio.lowlevel.checkpoint()
    return False
