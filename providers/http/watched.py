"""A socket that asyncio keeps an eye on, at a fraction of what it costs to ask it anew for every wait.

Waiting the portable way registers the socket with the event loop and takes it out again each time, which is
two system calls and more than a tenth of a whole call. Here it stays registered as long as it is quiet, and
what comes for a waiting reader is read right where the loop tells of it. Nothing is read that nobody waits
for: when bytes come and no reader is there, the socket is taken out again until one is.
"""

from __future__ import annotations

import socket
from asyncio import AbstractEventLoop, Future, TimerHandle, get_running_loop  # noqa: TID251 - see above
from contextlib import suppress
from math import inf
from weakref import ref

from ..timekeeping import TimeUpError
from .connection import IN_A_ROW, MOST, Plain

_DEAF = 2  # times that the loop may tell of bytes that a reader on its way will read


class Watched(Plain):
    """A connected, non-blocking socket under asyncio; an idle one may serve the next event loop."""

    __slots__ = (
        "__weakref__", "_alarm", "_ends_at", "_loop", "_rings_at", "_told", "_unread", "_waiter",
    )  # fmt: skip

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(connected)
        self._loop: AbstractEventLoop | None = None  # where it is registered
        self._told = 0  # how often the loop told of bytes that nobody waited for
        self._unread: bytes | None = None  # read for somebody who had just stopped waiting
        self._waiter: Future[bytes] | None = None
        self._ends_at = inf  # until when the waiter waits, on the loop's time
        self._alarm: TimerHandle | None = None
        self._rings_at = inf

    async def receive(self, within: float = inf) -> bytes:
        """See `Connection.receive`."""
        if self._unread is not None:
            data, self._unread = self._unread, None
            return data
        if self._row:
            return await super().receive(within)
        loop = get_running_loop()
        if self._loop is not loop:
            try:
                self._watch(loop)
            except NotImplementedError:  # Windows' own loop cannot
                return await super().receive(within)
        self._ends_at = loop.time() + within
        if self._ends_at < self._rings_at:
            self._set_alarm(loop)
        self._told = 0
        waiter: Future[bytes] = loop.create_future()
        self._waiter = waiter
        try:
            data = await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._unread = waiter.result()
            raise
        finally:
            self._waiter = None
        if len(data) == MOST:
            self._row = IN_A_ROW
        return data

    def cut(self) -> bool:
        """See `Connection.cut`."""
        waiter = self._waiter
        if waiter is None or self._ends_at == inf:
            return super().cut()
        if not waiter.done():
            waiter.set_exception(TimeUpError())
        return True

    def received(self) -> bytes | None:
        """See `Connection.received`."""
        data, self._unread = self._unread, None
        return super().received() if data is None else data

    def is_quiet(self) -> bool:
        """See `Connection.is_quiet`."""
        return self._unread is None and super().is_quiet()

    def close(self) -> None:
        """See `Connection.close`."""
        self._unwatch()
        super().close()

    def readable(self) -> None:
        """Take note that there are bytes, or an end, to be read."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._told += 1
            if self._told > _DEAF:
                self._unwatch()
            return
        try:
            waiter.set_result(self._socket.recv(MOST))
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            waiter.set_exception(error)

    def ring(self) -> None:
        """Tell a waiter whose time is up; where there is another by now, that is seen to later."""
        self._alarm, self._rings_at = None, inf
        waiter, loop = self._waiter, self._loop
        if waiter is None or waiter.done() or loop is None or self._ends_at == inf:
            return
        if loop.time() < self._ends_at:
            self._set_alarm(loop)
        else:
            waiter.set_exception(TimeUpError())

    def _set_alarm(self, loop: AbstractEventLoop) -> None:
        """Ring once the waiter's time is up.

        The alarm is left as it is when the wait ends well: the next one nearly always ends later, so that one
        alarm serves for all calls of a minute.
        """
        if self._alarm is not None:
            self._alarm.cancel()
        self._rings_at = self._ends_at
        self._alarm = loop.call_at(self._rings_at, _ring, ref(self))

    def _watch(self, loop: AbstractEventLoop) -> None:
        self._unwatch()
        # a weak reference: a connection that nobody holds any more must not live on in the loop
        loop.add_reader(self._fd, _tell, ref(self))
        self._loop = loop

    def _unwatch(self) -> None:
        loop, self._loop = self._loop, None
        alarm, self._alarm, self._rings_at = self._alarm, None, inf
        if alarm is not None:
            alarm.cancel()
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._fd)

    def __del__(self) -> None:
        with suppress(AttributeError):  # one that was never made whole
            self._unwatch()


def _tell(connection: ref[Watched]) -> None:
    found = connection()
    if found is not None:
        found.readable()


def _ring(connection: ref[Watched]) -> None:
    found = connection()
    if found is not None:
        found.ring()
