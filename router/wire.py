"""The innermost handler: encode, send, check the status, decode. Every other layer stands around this one.

Streams and whole answers take the same way. For a caller who wants pieces, it waits for the first one that
says something; for one who wants all, it waits for all, whether that comes as one body, which is then decoded
in one step, or as a stream, which is folded. A single limit covers all of this waiting, connecting included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar

import anyio

from turnout.config.sections import OnUnsupported
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Dialect, Target, WireRequest
from turnout.providers.errors import AttemptTimeoutError, ProviderError, UnsupportedError
from turnout.providers.timekeeping import TimeUpError, timekeeper
from turnout.providers.transport import Transport, WireResponse

from .clock import Clock
from .draining import Doors
from .errors import FunctionError
from .finishing import finish
from .fitting import fit
from .meaning import Judge
from .pipeline import DEADLINE, Call, Reply, RunLimited
from .planning import PlannedTarget
from .recalling import waiting
from .rejecting import TargetRejectedError
from .replies import StreamReply, WholeReply, WireReply, attribute, whole_body
from .timeouts import Limits
from .tokens import Tokens

if TYPE_CHECKING:
    from .fetching import Fetcher

_ERROR_BODY = 256 * 1024  # bytes of an error's body that are read; more never says more
_ERROR_PATIENCE = 2.0  # seconds that an error's body is waited for

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
        doors: Doors | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._fetcher = fetcher  # made by the first target that has something fetched
        self._tokens = tokens or None
        self._doors = doors or Doors()

    async def __call__(self, call: Call) -> Reply:
        """Try the call's target once; the errors are the provider's, or those of `encode` before any byte."""
        request = call.target.request_for(call.request)
        planned = call.target.speaking(request)
        limits = Limits(call, self._clock)
        if self._tokens is not None:
            planned = await self._with_token(planned, self._tokens, limits)
        if planned is not call.target:
            call = call.aimed(planned, call.later)
        if planned.target.fetch_media:
            wire = await self._fetched(call, request, limits)
        else:
            wire = written(call, request)
        if planned.target.credentials is not None:
            wire = _signed(wire, planned.target, self._clock)
        if call.attempts_left < 1:
            raise _spent(call)
        call.journal.sent += 1
        if call.line is not None:
            call.line.sent = True
        try:
            reply = await self._reply(call, request, wire, limits)
            if reply.complete:
                await self._concluded(reply, call, request)
        except ProviderError as error:
            attribute(error, planned)
            if self._tokens is not None and error.kind == "authentication":
                self._tokens.refused(planned.target)
            raise
        if reply.end is not None:
            await reply.aclose()  # nothing more will come, so the connection need not wait for the caller
        return reply

    async def _reply(
        self, call: Call, request: ChatCompletion, wire: WireRequest, limits: Limits
    ) -> WireReply:
        """Send a request and wait for its answer to begin, all under one limit."""
        target = call.target.target
        connection = self._transport.send(
            wire, connect_timeout=target.timeouts.connect, max_bytes=target.max_response_bytes
        )
        limits.keeper = timekeeper(connection)
        kind: type[WireReply] = StreamReply if wire.stream else WholeReply
        if kind is StreamReply and call.plan.slow_stream is not None:
            from .pace import PacedReply  # here: few routes ask for a pace

            kind = PacedReply
        reply = kind(call, request, wire, connection, limits)
        response: WireResponse | None = None
        self._doors.begin(limits)
        try:
            try:
                with limits.until_begun():
                    response = await connection.__aenter__()
                    if not 200 <= response.status < 300:
                        await self._refuse(call, response)
                    reply.headers = response.headers
                    await reply.begin(response)
            except TimeUpError:
                raise limits.late() from None
            if reply.wanted_whole and not reply.complete:
                await reply.finish()
        except BaseException as error:
            self._doors.over(limits)
            if isinstance(error, ProviderError) and error.usage is None:
                error.usage = reply.usage  # what was told before the answer broke was spent
            if response is not None:
                await connection.__aexit__(None, None, None)
            raise
        if isinstance(reply, StreamReply) and not reply.complete:
            self._doors.answered(limits, reply)
        else:
            self._doors.over(limits)
        return reply

    async def _concluded(self, reply: WireReply, call: Call, request: ChatCompletion) -> None:
        """End an answer that is there as a whole; the error where its target's judge does not let it pass."""
        judge = reply.target.judge
        try:
            error = None if judge is None else judge.fault(reply.response, request)
            if error is None and judge is not None and judge.asks:
                error = await self._asked(judge, reply, call)
            if error is None:
                reply.conclude("completed")
                return
            attribute(error, reply.target)
            reply.conclude("failed", error)
            finish(reply.response, call, reply.target, self._clock, reply.attempt)
        except BaseException:
            await reply.aclose()
            raise
        await reply.aclose()
        raise error

    async def _asked(self, judge: Judge, reply: WireReply, call: Call) -> ProviderError | None:
        """What the functions of the user's say to an answer, as long as the call's deadline allows."""
        response = finish(reply.response, call, reply.target, self._clock, None)
        try:
            with waiting(call.recall), anyio.move_on_after(call.ends_at - self._clock.monotonic()):
                return await judge.rejection(response)
        except FunctionError:
            reply.conclude("completed")  # as far as its provider goes
            raise
        late = AttemptTimeoutError(f"the call's deadline of {call.deadline:g} s passed.", code=DEADLINE)
        late.response, late.usage = response, response.usage
        return late

    async def _refuse(self, call: Call, response: WireResponse) -> NoReturn:
        """Raise the error of an answer whose status is not 2xx."""
        from email.utils import format_datetime  # here, as below: many programs meet with no error

        body = await _error_body(response)
        # a wait until a date needs a now: ours, where the server does not tell its own
        headers = {"date": format_datetime(self._clock.now(), usegmt=True), **response.headers}
        target = call.target
        raise target.dialect.error(response.status, headers, body, target.target)

    async def _with_token(self, planned: PlannedTarget, tokens: Tokens, limits: Limits) -> PlannedTarget:
        """The target with a token for its key, where its provider has a source of them."""
        try:
            target = await tokens.bearing(planned.target, limits.run)
        except ProviderError as error:
            attribute(error, planned)
            raise
        return planned if target is planned.target else dataclasses.replace(planned, target=target)

    async def _fetched(self, call: Call, request: ChatCompletion, limits: Limits) -> WireRequest:
        """The HTTP request, with what it takes from elsewhere fetched."""
        from .fetching import Fetcher  # here: few hosts take no addresses

        self._fetcher = fetcher = self._fetcher or Fetcher(self._transport)
        try:
            return await fetcher.written(
                request, call.target.target, partial(encode, call), call.journal, limits.run
            )
        except AttemptTimeoutError as error:
            attribute(error, call.target)
            raise


def _spent(call: Call) -> TargetRejectedError:
    """The error of an attempt that waited for its turn while another run of its call made the last one."""
    return TargetRejectedError(
        f"the call has made all of its {call.plan.max_attempts} attempts.", kind="overloaded"
    )


def written(call: Call, request: ChatCompletion) -> WireRequest:
    """The HTTP request of a call's target; UnsupportedError says where fetching would mend it."""
    try:
        return encode(call, request)
    except UnsupportedError:
        from .inlining import foreseen  # here: few requests are refused

        return foreseen(request, call.target.target, partial(encode, call))


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
    if wanted is not None:
        target = target.settling(wanted)
    try:
        request, left_out = fit(request, target, planned.calibration)
        wire = planned.dialect.encode(request, target)
        return dataclasses.replace(wire, adaptations=(*left_out, *wire.adaptations)) if left_out else wire
    except UnsupportedError as error:
        error.provider, error.model = target.provider, target.model
        raise


def _signed(wire: WireRequest, target: Target, clock: Clock) -> WireRequest:
    """The request with its signature, where the host wants one."""
    if target.preset.auth != "sigv4":
        return wire
    from turnout.providers.signing import signed  # here: few hosts do

    return signed(wire, target, clock.now())


async def _error_body(response: WireResponse) -> bytes:
    """As much of an error's body as can be had; its status says most of it already."""
    pieces, size = [], 0
    with anyio.move_on_after(_ERROR_PATIENCE), suppress(ProviderError):
        while size < _ERROR_BODY and (piece := await response.read()):
            pieces.append(piece)
            size += len(piece)
    return b"".join(pieces)


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
    if target.credentials is not None:
        request = _signed(request, target, clock)
    try:
        sending = transport.send(
            request, connect_timeout=target.timeouts.connect, max_bytes=target.max_response_bytes
        )
        with anyio.move_on_after(target.timeouts.first_token):
            async with sending as response:
                if not 200 <= response.status < 300:
                    body = await _error_body(response)
                    raise dialect.error(response.status, response.headers, body, target)
                return await whole_body(response)
        raise AttemptTimeoutError(f"no answer within {target.timeouts.first_token:g} s.")
    except ProviderError as error:
        error.provider = error.provider or target.provider
        raise
