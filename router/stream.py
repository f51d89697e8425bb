"""A streamed answer, as the caller holds it.

    probing ──> committed ──> completed
       │            ├───────> interrupted
       └─> failed   └───────> cancelled

Until the first piece that says something the stream is `probing`, and retries and fallback may still act.
From `committed` on it is one provider's answer, and ends in exactly one of three ways. Where the route's
`on_interrupt` has another provider go on, the stream stays `committed` meanwhile; `provider` and `model` are
those of the latest.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

import anyio

from turnout.providers.chat import ChatChunk, ChatResponse
from turnout.providers.errors import ProviderError

from .accounting import Trace
from .errors import DeadlineExceededError, StreamStateError
from .pipeline import DEADLINE, Call, Handler, Reply

State = Literal["probing", "committed", "completed", "interrupted", "failed", "cancelled"]
_CLOSING = 5.0  # seconds that closing may take, whatever has been cancelled around it


class ChatStream:
    """The pieces of one answer, as they come.

    Used as `async with router.stream(...) as stream: async for chunk in stream: ...`. Entering waits for the
    answer to begin and raises what `complete` would; reading on raises StreamInterruptedError, with what had
    come in its `partial`, or DeadlineExceededError. Leaving early closes the socket and settles the ledger.
    """

    def __init__(self, call: Call, handler: Handler, finish: Callable[[Call, Reply], ChatResponse]) -> None:
        self.state: State = "probing"
        """Where the stream is in its life."""
        self._call = call
        self._handler = handler
        self._finish = finish
        self._reply: Reply | None = None
        self._entered = False
        self._reading = False
        self._finished: ChatResponse | None = None
        options = call.request.stream_options
        self._shows_usage = bool(options and options.include_usage)

    @property
    def response(self) -> ChatResponse:
        """The same answer that `complete` would give; before the end, what has come of it until now."""
        if self._finished is not None:
            return self._finished
        reply = self._begun()
        whole = self._finish(self._call, reply)
        if reply.end is not None:
            self._finished = whole
        return whole

    @property
    def provider(self) -> str:
        """The configured name of the provider that answers."""
        return self._begun().target.target.provider

    @property
    def model(self) -> str:
        """The model that answers, as the target names it."""
        return self._begun().target.target.model

    @property
    def trace(self) -> Trace:
        """How the call was routed until now."""
        return self._call.trace()

    async def __aenter__(self) -> Self:
        if self._entered:
            raise StreamStateError("a ChatStream is entered once; call router.stream(...) again for another.")
        self._entered = True
        try:
            self._reply = await self._handler(self._call)
        except BaseException as error:
            self.state = "failed" if isinstance(error, Exception) else "cancelled"
            raise
        self.state = "committed"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # what went wrong in the caller's block does not matter here: whatever it was, the answer is left
        if self.state == "committed":
            self.state = "cancelled"
        if self._reply is not None:
            with anyio.move_on_after(_CLOSING, shield=True):
                await self._reply.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatChunk:
        chunk = self._at_hand()
        if chunk is None:
            chunk = await self._awaited()
            if chunk is None:
                raise StopAsyncIteration
        return chunk

    async def receive(self) -> ChatChunk | None:
        """The next chunk, as iterating gives it; None once the answer is complete, or the stream was left."""
        chunk = self._at_hand()
        return await self._awaited() if chunk is None else chunk

    def _at_hand(self) -> ChatChunk | None:
        """The next chunk that has come already; most need no waiting, since they come many at a time."""
        reply = self._reply
        if reply is None or self._reading or self.state != "committed":
            return None
        try:
            while (chunk := reply.at_hand()) is not None:
                if chunk.choices or chunk.usage is None or self._shows_usage:
                    return chunk
        except ProviderError as error:
            self._note_break(error)
            raise
        return None

    async def _awaited(self) -> ChatChunk | None:
        """The next chunk, waited for."""
        reply = self._begun()
        if self._reading:
            raise StreamStateError("two tasks read one ChatStream; give each task its own stream.")
        self._reading = True
        try:
            while self.state == "committed":
                chunk = await reply.receive()
                if chunk is None:
                    self.state = "completed"
                elif chunk.choices or chunk.usage is None or self._shows_usage:
                    return chunk
        except ProviderError as error:
            self._note_break(error)
            raise
        finally:
            self._reading = False
        return None

    def _note_break(self, error: ProviderError) -> None:
        """Take note that the answer broke off; DeadlineExceededError where that is why."""
        self.state = "interrupted"
        if error.code == DEADLINE:
            raise self._deadline_error() from error

    def _deadline_error(self) -> DeadlineExceededError:
        error = DeadlineExceededError(self._call.trace().attempts, deadline=self._call.deadline)
        error.partial = self.response
        return error

    def _begun(self) -> Reply:
        if self._reply is None:
            raise StreamStateError("a ChatStream is read inside `async with router.stream(...) as stream:`.")
        return self._reply
