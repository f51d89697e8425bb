"""Answers that have begun, as the wire hands them on: one that came whole, and one that comes in pieces.

See `pipeline.Reply` for what both can do. A reply owns its connection; `aclose` gives it back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from types import MappingProxyType

from turnout.providers.chat import ChatChunk, ChatCompletion, ChatResponse, Usage
from turnout.providers.dialect import WireRequest
from turnout.providers.errors import (
    AttemptTimeoutError,
    ConnectionFailedError,
    ProviderError,
    StreamInterruptedError,
)
from turnout.providers.folding import Fold
from turnout.providers.timekeeping import TimeUpError
from turnout.providers.transport import WireResponse
from turnout.providers.unfolding import unfold

from .accounting import Attempt
from .meaning import Judge
from .pipeline import Call, End, Reply, tell_all
from .planning import PlannedTarget
from .timeouts import Limits

Connection = AbstractAsyncContextManager[WireResponse]
"""What the transport gave, already entered."""

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_DRAIN = 0.5  # seconds to wait for the end of the bytes after the terminal event, so the socket can be reused


class WireReply(ABC):
    """What both sorts of answers share: who answers, how it ended, and the connection.

    `begin` waits for the answer to begin and sets no limit; `finish` reads on to the end of one that is
    `wanted_whole`, with a limit for each piece. An answer that is `complete` before anybody has seen any of
    it is judged first, and then concluded; see `Judge`.
    """

    __slots__ = (
        "_body_ended", "_call", "_connection", "_limits", "_line", "_listeners", "_request", "adaptations",
        "attempt", "complete", "end", "error", "first_token_at", "headers", "target", "usage", "wanted_whole",
    )  # fmt: skip

    def __init__(
        self, call: Call, request: ChatCompletion, wire: WireRequest, connection: Connection, limits: Limits
    ) -> None:
        self.target: PlannedTarget = call.target
        self.adaptations = wire.adaptations
        self.first_token_at: float | None = None
        self.usage: Usage | None = None
        self.end: End | None = None
        self.error: ProviderError | None = None
        self.attempt: Attempt | None = None
        self.headers: Mapping[str, str] = _NO_HEADERS
        self.complete = False
        self.wanted_whole = not call.streaming
        self._call = call
        self._line = call.line
        self._request = request
        self._limits = limits
        self._connection: Connection | None = connection
        self._body_ended = False
        self._listeners: list[Callable[[Reply], None]] | None = None

    @property
    def began_at(self) -> float:
        """When the attempt began."""
        return self._limits.started

    @property
    @abstractmethod
    def response(self) -> ChatResponse:
        """What has come until now."""

    @abstractmethod
    async def begin(self, body: WireResponse) -> None:
        """Wait until the answer has begun; ProviderError if it does not."""

    @abstractmethod
    async def finish(self) -> None:
        """Read an answer that has begun to its end."""

    @abstractmethod
    def at_hand(self) -> ChatChunk | None:
        """The next chunk, if it has come already."""

    async def receive(self) -> ChatChunk | None:
        """The next chunk; None at the proper end."""
        return self.at_hand()

    def when_ended(self, listener: Callable[[Reply], None]) -> None:
        """Have `listener` called at the end."""
        if self._listeners is None:
            self._listeners = []
        self._listeners.append(listener)

    async def aclose(self) -> None:
        """Leave the answer; does nothing the second time."""
        connection, self._connection = self._connection, None
        if connection is None:
            if self.end is None:
                self.conclude("cancelled")
            return
        try:
            if self.end is None:
                self.conclude("cancelled")
            elif (self.end == "completed" or self.complete) and not self._body_ended:
                await self._drain()
        finally:
            await connection.__aexit__(None, None, None)

    def conclude(self, end: End, error: ProviderError | None = None) -> None:
        """Take note of the end, and tell those who wait for it."""
        self.end, self.error = end, error
        listeners, self._listeners = self._listeners, None
        try:
            if self._line is not None:
                self._line.settle(self)
        finally:
            if listeners:
                tell_all(listeners, self)

    @abstractmethod
    async def _drain(self) -> None:
        """Take what stands between an answer's end and that of its bytes."""


class WholeReply(WireReply):
    """An answer that comes as one body."""

    __slots__ = ("_pieces", "_response")

    _response: ChatResponse
    _pieces: deque[ChatChunk] | None

    @property
    def response(self) -> ChatResponse:
        """The answer."""
        return self._response

    async def begin(self, body: WireResponse) -> None:
        """Read all of it."""
        data = await whole_body(body)
        self._body_ended = True
        self.first_token_at = self._limits.clock.monotonic()
        target = self.target
        self._response = response = target.dialect.decode(data, self._request, target.target)
        self.usage = response.usage
        self._pieces = deque(unfold(response)) if self._call.streaming else None
        self.complete = True

    async def finish(self) -> None:
        """All of it is here."""

    async def _drain(self) -> None:
        """The body was read to its end."""

    def at_hand(self) -> ChatChunk | None:
        """The next piece that a stream of this answer would have."""
        return self._pieces.popleft() if self._pieces else None


class StreamReply(WireReply):
    """An answer that comes in pieces; one that the caller wants whole is read to its end by `finish`."""

    __slots__ = ("_body", "_chunks", "_committed", "_decoder", "_fold", "_pending", "_whole")

    _body: WireResponse

    def __init__(
        self, call: Call, request: ChatCompletion, wire: WireRequest, connection: Connection, limits: Limits
    ) -> None:
        super().__init__(call, request, wire, connection, limits)
        self._decoder = self.target.dialect.decoder(request, self.target.target)
        self._fold = Fold()
        self._chunks: Iterator[ChatChunk] = iter(())
        self._pending: deque[ChatChunk] = deque()  # what came before the answer began
        self._committed = False
        self._whole: ChatResponse | None = None

    @property
    def response(self) -> ChatResponse:
        """What has come until now."""
        return self._fold.response() if self._whole is None else self._whole

    async def begin(self, body: WireResponse) -> None:
        """Read until the first piece that says something, or to the end if none does."""
        self._body = body
        keep = self._call.streaming
        while True:
            for chunk in self._chunks:
                self._take(chunk)
                if keep:
                    self._pending.append(chunk)
                if _says_something(chunk):
                    self.first_token_at = self._limits.clock.monotonic()
                    judge = self.target.judge
                    if keep and (judge is None or not judge.ahead or not self._look_ahead(judge, chunk)):
                        self._committed = True
                    return
            if not self._goes_on():
                self._complete()
                return
            self._feed(await body.read())

    async def finish(self) -> None:
        """Read the rest."""
        while True:
            self._take_all()
            if not self._goes_on():
                self._complete()
                return
            await self._read()

    def at_hand(self) -> ChatChunk | None:
        """The next chunk, if its bytes have come; StreamInterruptedError where they say nothing good."""
        if self._pending:
            return self._pending.popleft()
        if self.end is not None:
            if self.error is not None:
                raise self.error  # it was ended while nobody read
            return None
        try:
            chunk = next(self._chunks, None)
        except ProviderError as error:
            raise self._break_off(error) from error
        if chunk is not None:
            self._take(chunk)
        return chunk

    async def receive(self) -> ChatChunk | None:
        """The next chunk; None at the proper end, StreamInterruptedError at any other."""
        while True:
            chunk = self.at_hand()
            if chunk is not None or self.end is not None:
                return chunk
            try:
                if self._goes_on():
                    await self._read()
                    continue
            except ProviderError as error:
                raise self._break_off(error) from error
            self.conclude("completed")
            return None

    def _look_ahead(self, judge: Judge, first: ChatChunk) -> bool:
        """Whether nobody should see the first piece yet: the answer is there to its end, or is a refusal."""
        self._take_all()
        if not self._goes_on():
            self._complete()
        self.wanted_whole = not self.complete and judge.declines(first)
        return self.complete or self.wanted_whole

    def _take_all(self) -> None:
        """Take the pieces that have come."""
        keep = self._call.streaming
        for chunk in self._chunks:
            self._take(chunk)
            if keep:
                self._pending.append(chunk)

    def _take(self, chunk: ChatChunk) -> None:
        self._fold.add(chunk)
        if chunk.usage is not None:
            self.usage = chunk.usage

    def _goes_on(self) -> bool:
        """Whether more bytes may say more."""
        return not (self._body_ended or self._decoder.done)

    async def _read(self) -> None:
        """Wait for the next bytes, as long as may be waited.

        A connection that breaks or falls silent is the end of an answer that has said why it ended.
        """
        limits = self._limits
        try:
            try:
                with limits.until_next(committed=self._committed):
                    data = await self._body.read()
            except TimeUpError:
                raise limits.nothing_came(committed=self._committed) from None
        except (AttemptTimeoutError, ConnectionFailedError) as error:
            self._end_with(error)
        else:
            self._feed(data)

    def _end_with(self, error: ProviderError) -> None:
        """Go on to the end where only its formalities are missing; `error` where more is."""
        try:
            chunks = list(self._decoder.close())
        except ProviderError:
            raise error from None
        self._body_ended, self._chunks = True, iter(chunks)

    def _feed(self, data: bytes) -> None:
        if data:
            self._chunks = iter(self._decoder.feed(data))
        else:
            self._body_ended = True
            self._chunks = iter(self._decoder.close())

    def _complete(self) -> None:
        """Take note of an answer that is there to its end before the caller has seen any of it."""
        self._whole = self._fold.response()
        self.complete = True

    def _break_off(self, error: ProviderError) -> StreamInterruptedError:
        """End the answer; what its failure is for the caller: a broken stream, with what had come."""
        broken = StreamInterruptedError(
            f"the stream broke off: {error.message}",
            status=error.status,
            code=error.code,
            request_id=error.request_id,
            retry_after=error.retry_after,
        )
        broken.partial = self._fold.response()
        attribute(broken, self.target)
        self.conclude("failed", broken)
        return broken

    async def cut(self) -> None:
        """Close the connection of an answer that nobody is reading just now.

        Who reads on finds it broken off, unless all of it had come.
        """
        if self.end is None and self._goes_on():
            self._break_off(self._limits.closed())
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.__aexit__(None, None, None)

    async def _drain(self) -> None:
        """Take the end of the bytes too, if it comes at once, so that the connection can serve again."""
        with suppress(ProviderError, TimeUpError), self._limits.within(_DRAIN):
            while await self._body.read():
                pass


async def whole_body(response: WireResponse) -> bytes:
    """All bytes of a body."""
    whole = await response.read()
    piece = await response.read() if whole else b""
    if not piece:
        return whole
    pieces = [whole, piece]
    while piece := await response.read():
        pieces.append(piece)
    return b"".join(pieces)


def attribute(error: ProviderError, planned: PlannedTarget) -> None:
    """Let the error know whose it is."""
    error.provider = error.provider or planned.target.provider
    error.model = error.model or planned.target.model


def _says_something(chunk: ChatChunk) -> bool:
    """Whether a chunk holds part of the answer; a role, a usage count or a mere end does not."""
    if not chunk.is_semantic:
        return False
    return chunk.finish_reason is None or any(choice.delta.is_semantic for choice in chunk.choices)
