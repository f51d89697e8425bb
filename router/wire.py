"""The innermost handler: encode, send, check the status, decode. Every other layer stands around this one.

Streams and whole answers take the same way. For a caller who wants pieces, entering waits for the first one
that says something; for one who wants all, entering waits for all, whether it comes as one body, which is
then decoded in one step, or as a stream, which is folded.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from email.utils import format_datetime
from functools import partial
from typing import TypeVar

import anyio

from turnout.config.settings import OnUnsupported
from turnout.providers.chat import ChatChunk, ChatCompletion, ChatResponse, ResponseMessage
from turnout.providers.dialect import Adaptation, Decoder, Dialect, Target, WireRequest
from turnout.providers.errors import (
    AttemptTimeoutError,
    ContentPolicyError,
    EmptyResponseError,
    ProviderError,
    StreamInterruptedError,
    UnsupportedError,
)
from turnout.providers.folding import Fold, unfold
from turnout.providers.signing import signed
from turnout.providers.transport import Transport, WireResponse

from .accounting import Attempt
from .clock import Clock
from .fetching import Fetcher
from .fitting import fit
from .inlining import foreseen
from .pipeline import Call, End, RunLimited
from .planning import PlannedTarget
from .timeouts import Limits
from .tokens import Tokens

_ERROR_BODY = 256 * 1024  # bytes of an error's body that are read; more never says more
_DRAIN = 0.5  # seconds to wait for the end of the bytes after the terminal event, so the socket can be reused

T = TypeVar("T")


class Wire:
    """The handler that speaks to providers."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        *,
        fetcher: Fetcher | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._fetcher = fetcher or Fetcher(transport)
        self._tokens = tokens or None

    @asynccontextmanager
    async def __call__(self, call: Call) -> AsyncIterator[WireReply]:
        """Try the call's target once; the errors are the provider's, or those of `encode` before any byte."""
        request = call.target.request_for(call.request)
        planned = call.target.speaking(request)
        limits = Limits(call, self._clock)
        if self._tokens is not None:
            planned = await self._with_token(planned, self._tokens, limits)
        if planned is not call.target:
            call = dataclasses.replace(call, target=planned)
        wire = await self._written(call, request, limits)
        if planned.target.preset.auth == "sigv4":
            wire = signed(wire, planned.target, self._clock.now())
        call.journal.sent += 1
        async with AsyncExitStack() as connection:
            try:
                sending = self._transport.send(
                    wire,
                    connect_timeout=planned.target.timeouts.connect,
                    max_bytes=planned.target.max_response_bytes,
                )
                response = await limits.run(lambda: connection.enter_async_context(sending))
                if not 200 <= response.status < 300:
                    body = await limits.run(lambda: _error_body(response))
                    # a wait until a date needs a now: ours, where the server does not tell its own
                    headers = {"date": format_datetime(self._clock.now(), usegmt=True), **response.headers}
                    raise planned.dialect.error(response.status, headers, body, planned.target)
                reply = WireReply(call, request, wire, response, limits)
                await reply.begin()
            except ProviderError as error:
                attribute(error, planned)
                if self._tokens is not None and error.kind == "authentication":
                    self._tokens.refused(planned.target)
                raise
            yield reply

    async def _with_token(self, planned: PlannedTarget, tokens: Tokens, limits: Limits) -> PlannedTarget:
        """The target with a token for its key, where its provider has a source of them."""
        try:
            target = await tokens.bearing(planned.target, limits.run)
        except ProviderError as error:
            attribute(error, planned)
            raise
        return planned if target is planned.target else dataclasses.replace(planned, target=target)

    async def _written(self, call: Call, request: ChatCompletion, limits: Limits) -> WireRequest:
        """The HTTP request, with what it takes from elsewhere fetched."""
        planned = call.target
        if not planned.target.fetch_media:
            return foreseen(request, planned.target, partial(encode, call))
        try:
            return await self._fetcher.written(
                request, planned.target, partial(encode, call), call.journal, limits.run
            )
        except AttemptTimeoutError as error:
            attribute(error, planned)
            raise


def encode(
    call: Call, request: ChatCompletion, *, on_unsupported: OnUnsupported | None = None
) -> WireRequest:
    """The HTTP request of a call's target; `on_unsupported` replaces what the call and its route say.

    UnsupportedError where the model cannot take it or the wire cannot say it, ContextWindowError where the
    prompt cannot fit; either is raised before anything is sent.
    """
    planned = call.target
    target = planned.target
    wanted = on_unsupported or call.on_unsupported
    if wanted is not None and wanted != target.on_unsupported:
        target = dataclasses.replace(target, on_unsupported=wanted)
    try:
        request, left_out = fit(request, target)
        wire = planned.dialect.encode(request, target)
        return dataclasses.replace(wire, adaptations=(*left_out, *wire.adaptations)) if left_out else wire
    except UnsupportedError as error:
        error.provider, error.model = target.provider, target.model
        raise


def attribute(error: ProviderError, planned: PlannedTarget) -> None:
    """Let the error know whose it is."""
    error.provider = error.provider or planned.target.provider
    error.model = error.model or planned.target.model


class WireReply:
    """The answer of one attempt; see `pipeline.Reply`."""

    def __init__(
        self, call: Call, request: ChatCompletion, wire: WireRequest, response: WireResponse, limits: Limits
    ) -> None:
        self.target = call.target
        self.adaptations: tuple[Adaptation, ...] = wire.adaptations
        self.first_token_at: float | None = None
        self.end: End | None = None
        self.error: ProviderError | None = None
        self.attempt: Attempt | None = None
        self._call = call
        self._request = request
        self._body = response
        self._limits = limits
        self._streamed = wire.stream
        self._committed = False
        self._whole: ChatResponse | None = None
        self._fold = Fold()
        self._decoder: Decoder | None = None
        self._chunks: Iterator[ChatChunk] = iter(())
        self._body_ended = False
        self._pending: deque[ChatChunk] = deque()
        self._listeners: list[Callable[[], None]] = []

    @property
    def response(self) -> ChatResponse:
        """What has come until now."""
        return self._fold.response() if self._whole is None else self._whole

    async def begin(self) -> None:
        """Wait until the answer has begun; ProviderError if it does not."""
        if not self._streamed:
            await self._take_whole()
        else:
            self._decoder = self.target.dialect.decoder(self._request, self.target.target)
            await self._take_stream()
        self._committed = True

    async def receive(self) -> ChatChunk | None:
        """The next chunk; None at the proper end, StreamInterruptedError at any other."""
        if self._pending:
            return self._pending.popleft()
        if self.end is not None:
            return None
        try:
            chunk = await self._next()
        except ProviderError as error:
            broken = self._broken(error)
            self._conclude("failed", broken)
            raise broken from error
        if chunk is None:
            self._conclude("completed")
        return chunk

    def when_ended(self, listener: Callable[[], None]) -> None:
        """Have `listener` called at the end, or now."""
        if self.end is None:
            self._listeners.append(listener)
        else:
            listener()

    def abandon(self) -> None:
        """Nobody will read on."""
        if self.end is None:
            self._conclude("cancelled")

    async def _take_whole(self) -> None:
        body = await self._limits.run(lambda: _whole_body(self._body))
        self.first_token_at = self._limits.clock.monotonic()
        whole = self.target.dialect.decode(body, self._request, self.target.target)
        self._check_not_empty(whole)
        self._whole = whole
        if self._call.streaming:
            self._pending.extend(unfold(whole))
        self._conclude("completed")

    async def _take_stream(self) -> None:
        keep = self._call.streaming
        while (chunk := await self._next()) is not None:
            if keep:
                self._pending.append(chunk)
            if self.first_token_at is None and _says_something(chunk):
                self.first_token_at = self._limits.clock.monotonic()
                if keep:
                    return
        whole = self._fold.response()
        self._check_not_empty(whole)
        self._whole = whole
        self._conclude("completed")

    async def _next(self) -> ChatChunk | None:
        """The next chunk off the wire, before or after the commit point."""
        decoder = self._decoder
        assert decoder is not None  # noqa: S101 - set before the first call
        while True:
            for chunk in self._chunks:
                self._fold.add(chunk)
                return chunk
            if self._body_ended:
                return None
            if decoder.done:
                await self._drain()
                return None
            data = await self._read()
            if data:
                self._chunks = decoder.feed(data)
            else:
                self._body_ended = True
                self._chunks = decoder.close()

    async def _drain(self) -> None:
        """Take the end of the bytes too, if it comes at once, so that the connection can serve again."""
        self._body_ended = True
        with anyio.move_on_after(_DRAIN), suppress(ProviderError):
            while await self._body.read():
                pass

    async def _read(self) -> bytes:
        if self.first_token_at is None:
            return await self._limits.run(self._body.read)
        return await self._limits.next(self._body.read, committed=self._committed)

    def _check_not_empty(self, response: ChatResponse) -> None:
        """Refuse an answer without content, where the route wants to go on after one."""
        if any(_has_content(choice.message) for choice in response.choices):
            return
        error: ProviderError | None = None
        reasons = {choice.finish_reason for choice in response.choices}
        plan = self._call.plan
        if "length" in reasons:
            return  # the caller's own limit on tokens left no room; another target would do the same
        if "content_filter" in reasons:
            if "content_policy" in plan.fallback_on or "content_policy" in self.target.branches:
                error = ContentPolicyError("the filter left nothing of the answer.", code="content_filter")
        elif "empty" in plan.fallback_on:
            error = EmptyResponseError("the answer has no text, reasoning, tool call or refusal.")
        if error is not None:
            error.usage = response.usage
            raise error

    def _broken(self, error: ProviderError) -> StreamInterruptedError:
        """What a failure after the commit point is for the caller: a broken stream, with what had come."""
        broken = StreamInterruptedError(
            f"the stream broke off: {error.message}",
            status=error.status,
            code=error.code,
            request_id=error.request_id,
            retry_after=error.retry_after,
        )
        broken.partial = self._fold.response()
        attribute(broken, self.target)
        return broken

    def _conclude(self, end: End, error: ProviderError | None = None) -> None:
        self.end, self.error = end, error
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()


async def _whole_body(response: WireResponse) -> bytes:
    pieces = []
    while piece := await response.read():
        pieces.append(piece)
    return b"".join(pieces)


async def _error_body(response: WireResponse) -> bytes:
    """As much of an error's body as can be had; its status says most of it already."""
    pieces, size = [], 0
    with suppress(ProviderError):
        while size < _ERROR_BODY and (piece := await response.read()):
            pieces.append(piece)
            size += len(piece)
    return b"".join(pieces)


def _says_something(chunk: ChatChunk) -> bool:
    """Whether a chunk holds part of the answer; a role, a usage count or a mere end does not."""
    if not chunk.is_semantic:
        return False
    return chunk.finish_reason is None or any(choice.delta.is_semantic for choice in chunk.choices)


def _has_content(message: ResponseMessage) -> bool:
    return bool(
        message.content
        or message.reasoning
        or message.reasoning_details
        or message.tool_calls
        or message.function_call
        or message.refusal
        or message.audio
    )


def within(seconds: float) -> RunLimited:
    """Waits for steps, each at most so many seconds; AttemptTimeoutError."""

    async def run(step: Callable[[], Awaitable[T]]) -> T:
        with anyio.move_on_after(seconds):
            return await step()
        raise AttemptTimeoutError(f"no answer within {seconds:g} s.")

    return run


async def list_models(transport: Transport, target: Target, dialect: Dialect, clock: Clock) -> bytes:
    """The body of a provider's list of models; ProviderError."""
    request = dialect.models_request(target)
    if target.preset.auth == "sigv4":
        request = signed(request, target, clock.now())
    try:
        sending = transport.send(
            request, connect_timeout=target.timeouts.connect, max_bytes=target.max_response_bytes
        )
        with anyio.move_on_after(target.timeouts.first_token):
            async with sending as response:
                if not 200 <= response.status < 300:
                    body = await _error_body(response)
                    raise dialect.error(response.status, response.headers, body, target)
                return await _whole_body(response)
        raise AttemptTimeoutError(f"no answer within {target.timeouts.first_token:g} s.")
    except ProviderError as error:
        error.provider = error.provider or target.provider
        raise
