"""The doors of a router: who is inside, and how they are closed without throwing anybody out too early.

While they close, no new call is let in, and those inside have some seconds to finish. After that they are
*cut*: no attempt begins any more, whoever waits for a provider is told so, and a stream that lies open in its
caller's hands is ended. Nothing of this costs a call more than a count and an entry in a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from .errors import RouterClosedError
from .pipeline import Call, Handler, Reply, at_end

if TYPE_CHECKING:
    from .replies import StreamReply
    from .timeouts import Limits

_UNWINDING = 1.0  # seconds in which attempts that were cut write their lines and close their connections


class Doors:
    """Counts the calls inside, and knows the attempts that they have under way."""

    __slots__ = ("_attempts", "_closing", "_cut", "_empty", "_inside", "_quiet")

    def __init__(self) -> None:
        self._inside = 0
        self._attempts: dict[Limits, StreamReply | None] = {}
        self._closing = False
        self._cut = False
        self._empty: anyio.Event | None = None  # set when the last call leaves
        self._quiet: anyio.Event | None = None  # set when the last attempt is over

    @property
    def inside(self) -> int:
        """Calls that have begun and not ended; a stream ends when its answer does."""
        return self._inside

    def open(self) -> None:
        """Let calls in, again if need be."""
        self._closing = self._cut = False
        self._empty = self._quiet = None

    def enter(self) -> None:
        """A call begins; RouterClosedError where none may. Whoever entered leaves, exactly once."""
        if self._closing:
            raise RouterClosedError
        self._inside += 1

    def leave(self) -> None:
        """A call is over."""
        self._inside -= 1
        if self._empty is not None and not self._inside:
            self._empty.set()

    def letting_in(self, handler: Handler) -> Handler:
        """The handler for a call that stays inside until its answer has ended."""

        async def inside(call: Call) -> Reply:
            self.enter()
            try:
                reply = await handler(call)
            except BaseException:
                self.leave()
                raise
            at_end(reply, self._left)
            return reply

        return inside

    def begin(self, limits: Limits) -> None:
        """An attempt begins; RouterClosedError once the doors were cut. `over` ends it."""
        if self._cut:
            raise RouterClosedError
        self._attempts[limits] = None

    def answered(self, limits: Limits, reply: StreamReply) -> None:
        """An attempt's answer has begun and goes on; the attempt is over when the answer is."""
        self._attempts[limits] = reply
        reply.when_ended(lambda _: self.over(limits))

    def over(self, limits: Limits) -> None:
        """An attempt is over."""
        self._attempts.pop(limits, None)
        if self._quiet is not None and not self._attempts:
            self._quiet.set()

    async def close(self, seconds: float) -> None:
        """Let nobody in, give those inside so many seconds, then cut what still goes on."""
        self._closing = True
        try:
            if self._inside and seconds > 0:
                if self._empty is None:
                    self._empty = anyio.Event()
                with anyio.move_on_after(seconds):
                    await self._empty.wait()
        finally:
            await self._cut_off()

    async def _cut_off(self) -> None:
        """End every attempt, and wait a little until all of them are over."""
        self._cut = True
        if not self._attempts:
            return
        if self._quiet is None:
            self._quiet = anyio.Event()
        with anyio.move_on_after(_UNWINDING, shield=True):
            for limits, reply in list(self._attempts.items()):
                # who waits is told, and closes what is its own; else there is nobody but us to do so
                if not limits.cut() and reply is not None:
                    await reply.cut()
                    self.over(limits)
            if self._attempts:
                await self._quiet.wait()

    def _left(self, _reply: Reply) -> None:
        self.leave()
