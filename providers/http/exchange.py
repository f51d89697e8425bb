"""One request and its answer.

An answer that comes whole, length and all, costs one send, one wait and one receive; its connection is back
in the pool before anybody has read the answer. Whatever else happens (an error, being called off, leaving
early, being dropped), a connection that has not come to the proper end of an answer is closed and never
used again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from math import inf
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import anyio

from turnout.config.errors import TurnoutError

from ..carrying import HUNG_UP, READ_BROKE, WRITE_BROKE, Intake, failed, not_in_time
from ..dialect import WireRequest
from ..timekeeping import TimeUpError
from .body import Body, Chunked, Sized, UntilClose
from .connection import Connection
from .head import MOST_BYTES, NotHTTPError, head_in
from .head import Head as AnswerHead
from .pool import Pool
from .refusing import not_http

if TYPE_CHECKING:
    from .fast import FastTransport
    from .request import Head

T = TypeVar("T")

_AT_EASE = nullcontext()  # each wait sees to its own end
_MOST_INTERIM = 32  # answers before the answer
_RACE = 0.5  # seconds within which a server that had already hung up is noticed
_BODILESS = (204, 304)
_SHORT = 1024  # bytes of a head that are looked at anew whenever more comes


class Exchange:
    """One request on its way, and its answer; see `Transport.send`, `WireResponse` and `Timekeeper`."""

    __slots__ = (
        "_body",
        "_connect_timeout",
        "_connection",
        "_ended",
        "_ends_at",
        "_head",
        "_headers",
        "_intake",
        "_keeps",
        "_max_bytes",
        "_pool",
        "_ready",
        "_request",
        "_rest",
        "_scope",
        "_sent",
        "_transport",
        "_trouble",
        "status",
    )

    def __init__(
        self,
        transport: FastTransport,
        request: WireRequest,
        connect_timeout: float | None,
        max_bytes: int | None,
    ) -> None:
        self.status = 0
        """The HTTP status."""
        self._transport = transport
        self._request = request
        self._connect_timeout = connect_timeout
        self._max_bytes = max_bytes
        self._pool: Pool | None = None  # where the turn is ours
        self._connection: Connection | None = None  # while it is ours
        self._head: AnswerHead | None = None
        self._headers: dict[str, str] | None = None
        self._sent = True  # whether all of the request was
        self._keeps = False  # whether the connection may serve again
        self._body: Body | None = None
        self._intake: Intake | None = None
        self._ready = b""  # body as it is to be given
        self._rest = b""  # bytes as they came
        self._ended = False
        self._trouble: TurnoutError | None = None
        self._ends_at = inf  # when the time is up that was given; -inf once it was cut
        self._scope: anyio.CancelScope | None = None  # around a wait for anything but bytes

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """See `Timekeeper.within`."""
        if self._ends_at != -inf:
            self._ends_at = monotonic() + seconds
        return _AT_EASE

    def cut(self) -> bool:
        """See `Timekeeper.cut`."""
        self._ends_at = -inf
        if self._scope is not None:
            self._scope.cancel()
            return True
        return self._connection is not None and self._connection.cut()

    async def __aenter__(self) -> Self:
        """Send the request and wait for the answer's head."""
        request = self._request
        head = self._transport.heads.head_of(request)
        whole = head.before(request.body)
        pool = head.pool
        if pool.is_full:
            await self._wait_for_turn(pool)
        else:
            pool.begin_turn()
        self._pool = pool
        try:
            connection = self._connection = pool.take()
            if connection is not None:
                data = await self._asked_again(connection, whole)
                if data:
                    await self._take_head(data, head)
                    return self
            self._connection = await self._connected(head)
            await self._take_head(await self._asked(self._connection, whole), head)
        except BaseException:
            self._let_go(reusable=False)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the answer, read or not."""
        if self._pool is not None:
            self._let_go(reusable=False)

    def __del__(self) -> None:
        """Close the answer of somebody who did not leave its context."""
        self._let_go(reusable=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        if self._headers is None:
            self._headers = {} if self._head is None else self._head.headers()
        return self._headers

    async def read(self) -> bytes:
        """The next piece of the body; see `WireResponse.read`."""
        if ready := self._ready:
            self._ready = b""
            return ready
        try:
            while not self._ended or self._rest:
                if piece := await self._piece():
                    return piece
        except OSError as error:
            trouble: TurnoutError = failed(READ_BROKE, error)
        except TurnoutError as error:
            trouble = error
        else:
            return b""
        self._fail(trouble)
        raise trouble

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces of the body one after another."""
        while piece := await self.read():
            yield piece

    async def _piece(self) -> bytes:
        """What the next bytes hold; perhaps nothing."""
        body, connection, data = self._body, self._connection, self._rest
        if data:
            self._rest = b""
        elif self._trouble is not None:
            raise self._trouble
        elif body is None or connection is None:
            raise failed("the answer was closed before it was read to its end")
        elif body.trouble:
            raise not_http(body.trouble, self.status)
        else:
            data = await connection.receive(self._left())
            if not data:
                if not body.close():
                    raise failed(HUNG_UP)
                self._ended = True
                self._let_go(reusable=False)
                return b""
        assert body is not None  # noqa: S101 - bytes are left only where there is a body
        piece = body.feed(data)
        if body.ended:
            self._ended = True
            self._let_go(reusable=self._keeps and not body.surplus)
        return piece if self._intake is None else self._intake.take(piece)

    async def _asked_again(self, connection: Connection, whole: bytes) -> bytes:
        """The first bytes over a connection that has served before.

        No bytes where its server had hung up without a word before the request can have reached it: then,
        and only then, the request goes out once more, over a new connection. A server that hangs up later
        may have acted on it.
        """
        now = self._transport.now
        begun = now()
        try:
            return await self._asked(connection, whole)
        except TurnoutError:
            if now() - begun > _RACE:
                raise
        connection.close()
        self._connection, self._sent = None, True
        return b""

    async def _asked(self, connection: Connection, whole: bytes) -> bytes:
        """The first bytes of the answer; ConnectionFailedError if there are none."""
        try:
            try:
                if left := connection.write(whole):
                    await self._in_time(partial(connection.flush, left))
            except OSError as error:
                # a server may refuse what is too large for it before it was all sent, and hang up
                self._sent = False
                if not (data := connection.received() or b""):
                    raise failed(WRITE_BROKE, error) from None
            else:
                data = await connection.receive(self._left())
        except OSError as error:
            raise failed(READ_BROKE, error) from None
        if not data:
            raise failed(HUNG_UP)
        return data

    async def _take_head(self, data: bytes, asked: Head) -> None:
        """Read the answer's head, and what of its body came with it."""
        try:
            head = head_in(data)
            if head is None or head.status < 200:
                data, head = await self._rest_of_head(data, head)
        except NotHTTPError as error:
            raise not_http(error) from None
        self._head = head
        status = self.status = head.status
        end, length, limit = head.end, head.length, self._max_bytes
        self._keeps = self._sent and not (head.closes or asked.closes)
        if asked.is_head or status in _BODILESS:
            length = 0
            self._keeps = self._keeps and not head.chunked
        elif head.coding or (limit is not None and (length is None or length > limit)):
            self._intake = Intake(status, head.coding, limit)
            if length is not None:
                self._intake.check_length(length)
        if length is not None and self._intake is None and len(data) - end >= length:
            self._ready = data[end : end + length]
            self._ended = True
            self._let_go(reusable=self._keeps and len(data) - end == length)
            return
        self._rest = data[end:]
        if length is not None:
            self._body = Sized(length)
            if not length:
                self._ended = True
                self._let_go(reusable=self._keeps and not self._rest)
                self._rest = b""
        else:
            self._body = Chunked() if head.chunked else UntilClose()

    async def _rest_of_head(self, data: bytes, head: AnswerHead | None) -> tuple[bytes, AnswerHead]:
        """The answer's head where it does not come in one piece, or is not the first."""
        connection = self._connection
        assert connection is not None  # noqa: S101 - ours since before the head
        interim = looked = 0
        while head is None or head.status < 200:
            if head is not None:
                interim += 1
                if head.status == 101 or interim > _MOST_INTERIM:
                    raise NotHTTPError("it changes protocols or never comes to the point")
                data = data[head.end :]
            else:
                try:
                    more = await connection.receive(self._left())
                except OSError as error:
                    raise failed(READ_BROKE, error) from None
                if not more:
                    raise failed(HUNG_UP)
                seen = len(data)
                data += more
                if len(data) < min(looked, MOST_BYTES) and data.find(b"\r\n\r\n", max(0, seen - 3)) < 0:
                    continue  # looking takes as long as what has come is, so it is not done for every byte
            head = head_in(data) if data else None
            looked = len(data) * 2 if len(data) > _SHORT else 0
        return data, head

    async def _wait_for_turn(self, pool: Pool) -> None:
        await self._in_time(pool.turn, self._connect_timeout)

    async def _connected(self, head: Head) -> Connection:
        return await self._in_time(partial(self._transport.connect, head.place), self._connect_timeout)

    async def _in_time(self, step: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        """Wait for a step as long as there is time, but no longer than so many seconds for a connection."""
        left = self._left()
        try:
            with anyio.move_on_after(left if seconds is None else min(left, seconds)) as self._scope:
                return await step()
        finally:
            self._scope = None
        if seconds is None or left <= seconds or self._ends_at == -inf:
            raise TimeUpError
        raise not_in_time(seconds)

    def _left(self) -> float:
        """Seconds that are left; TimeUpError where none are."""
        left = self._ends_at - monotonic()
        if left <= 0:
            raise TimeUpError
        return left

    def _fail(self, trouble: TurnoutError) -> None:
        """Reading is over; whoever reads on is told why."""
        self._trouble, self._ended, self._rest, self._body = trouble, False, b"", None
        self._let_go(reusable=False)

    def _let_go(self, *, reusable: bool) -> None:
        """Give the connection back or close it, and pass the turn on."""
        pool, self._pool = self._pool, None
        connection, self._connection = self._connection, None
        if pool is None:
            return
        if connection is not None:
            if reusable:
                pool.give(connection)
            else:
                connection.close()
        pool.end_turn()
