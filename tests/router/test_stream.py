"""Streams: until the first word anything may happen unseen, afterwards everything is told."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest

from turnout import (
    AllTargetsFailedError,
    AuthenticationError,
    ChatChunk,
    ChatStream,
    DeadlineExceededError,
    InternalServerError,
    MalformedResponseError,
    ProviderError,
    RequestError,
    Router,
    StreamInterruptedError,
    StreamStateError,
)
from turnout.providers.http import FastTransport
from turnout.providers.http.connection import Connection
from turnout.providers.http.request import Place
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Gone = Callable[[Simulator], Awaitable[None]]
Conversation = list[dict[str, Any]]
LONG = "one two three four five six seven eight nine ten"


async def read(stream: ChatStream) -> list[ChatChunk]:
    """Every chunk."""
    return [chunk async for chunk in stream]


async def test_a_stream_gives_the_pieces_and_then_the_same_answer_as_a_whole_call(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator({"m": [Reply(text=LONG, reasoning="Let me count")]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}) as router:
            whole = await router.complete(model="r", messages=hello)
            stream = router.stream(model="r", messages=hello, tags={"job": "7"})
            assert stream.state == "probing"
            async with stream:
                assert stream.state == "committed"
                assert (stream.provider, stream.model) == ("a", "m")
                chunks = await read(stream)
            response = stream.response

    assert stream.state == "completed"
    assert "".join(chunk.text for chunk in chunks) == response.text == whole.text == LONG
    assert "".join(chunk.reasoning for chunk in chunks) == response.reasoning == whole.reasoning
    assert response.usage == whole.usage
    assert response.cost == whole.cost
    assert response.provider == "a"
    assert len({chunk.id for chunk in chunks}) == 1
    [attempt] = stream.trace.attempts
    assert (attempt.outcome, attempt.tags) == ("ok", {"job": "7"})
    assert attempt.first_token_seconds is not None
    assert attempt.first_token_seconds <= attempt.seconds
    assert response is stream.response


@pytest.mark.parametrize("asked", [True, False])
async def test_the_chunk_with_usage_is_shown_to_who_asked_for_it(
    make_router: MakeRouter, hello: Conversation, asked: bool
) -> None:
    async with Simulator() as simulator, make_router(simulator, {"r": ["a/m"]}) as router:
        options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asked else {}
        async with router.stream(model="r", messages=hello, **options) as stream:
            chunks = await read(stream)

    assert any(chunk.usage is not None for chunk in chunks) is asked
    assert stream.response.usage is not None
    assert simulator.requests[0].body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "failure",
    [
        Reply(status=500),
        Reply(text=LONG, cut_after_events=1),
        Reply(text=LONG, end_after_events=1),
        Reply(text=LONG, malformed_event=0),
        Reply(text=LONG, error_event_after=1),
        Reply(text="", reasoning=None),
        Reply(error_in_200="Out of order."),
    ],
    ids=["status", "cut", "ended", "malformed", "error event", "empty", "error in 200"],
)
async def test_what_goes_wrong_before_the_first_word_is_never_seen(
    make_router: MakeRouter, hello: Conversation, failure: Reply
) -> None:
    async with Simulator({"bad": [failure], "good": [Reply(text=LONG)]}) as simulator:
        async with make_router(simulator, {"r": ["a/bad", "b/good"]}) as router:
            async with router.stream(model="r", messages=hello) as stream:
                chunks = await read(stream)

    assert "".join(chunk.text for chunk in chunks) == LONG
    assert stream.provider == "b"
    assert stream.trace.attempts[0].outcome == "failed"


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Reply(text=LONG, cut_after_events=3), ProviderError),
        (Reply(text=LONG, end_after_events=3), StreamInterruptedError),
        (Reply(text=LONG, malformed_event=3), MalformedResponseError),
        (Reply(text=LONG, error_event_after=3), InternalServerError),
    ],
    ids=["cut", "ended", "malformed", "error event"],
)
async def test_what_goes_wrong_after_the_first_word_is_told_with_what_had_come(
    make_router: MakeRouter, hello: Conversation, failure: Reply, cause: type[ProviderError]
) -> None:
    async with Simulator({"bad": [failure]}) as simulator:
        async with make_router(simulator, {"r": ["a/bad", "b/good"]}) as router:
            seen: list[str] = []
            async with router.stream(model="r", messages=hello) as stream:
                with pytest.raises(StreamInterruptedError) as caught:
                    async for chunk in stream:
                        seen += [chunk.text]
                assert await read(stream) == []

    error = caught.value
    assert stream.state == "interrupted"
    assert isinstance(error.__cause__, cause)
    assert error.partial is not None
    assert error.partial.text == "".join(seen) == stream.response.text
    assert LONG.startswith(error.partial.text)
    assert (error.provider, error.model) == ("a", "bad")
    [attempt] = router.ledger
    assert attempt.outcome == "failed"
    assert attempt.cost.basis == "estimated"  # it was cut before the provider could count
    assert error.attempts == (attempt,)
    assert len(simulator.requests) == 1


async def test_a_stream_that_nobody_can_begin_fails_where_it_is_entered(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator({"x": [Reply(status=401)], "y": [Reply(status=401)]}) as simulator:
        async with make_router(simulator, {"r": ["a/x", "b/y"]}) as router:
            stream = router.stream(model="r", messages=hello)
            with pytest.raises(AllTargetsFailedError):
                async with stream:
                    raise AssertionError
            alone = router.stream(model="a/x", messages=hello)
            with pytest.raises(AuthenticationError):
                await alone.__aenter__()

    assert stream.state == alone.state == "failed"


async def test_leaving_early_closes_the_socket_and_settles_the_ledger(
    make_router: MakeRouter, hello: Conversation, gone: Gone
) -> None:
    reply = Reply(text=LONG, drip_delay=0.05)
    async with Simulator({"m": [reply]}) as simulator, make_router(simulator, {"r": ["a/m"]}) as router:
        async with router.stream(model="r", messages=hello) as stream:
            async for _chunk in stream:
                break
        assert stream.state == "cancelled"
        [attempt] = router.ledger
        assert attempt.outcome == "cancelled"
        assert attempt.cost.basis == "estimated"
        assert attempt.cost.amount is not None
        assert attempt.cost.amount > 0
        await gone(simulator)
    gc.collect()


async def test_an_error_of_the_callers_own_leaves_the_same_way(
    make_router: MakeRouter, hello: Conversation, gone: Gone
) -> None:
    async with Simulator({"m": [Reply(text=LONG, drip_delay=0.05)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m", "b/n"]}) as router:
            stream = router.stream(model="r", messages=hello)
            with pytest.raises(ZeroDivisionError):
                async with stream:
                    _ = 1 / 0
            await gone(simulator)

    assert stream.state == "cancelled"
    assert len(simulator.requests) == 1


async def test_cancelling_the_reader_closes_the_socket_and_settles_the_ledger(
    make_router: MakeRouter, hello: Conversation, gone: Gone
) -> None:
    async with Simulator({"m": [Reply(text=LONG, stall_after_events=3)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}) as router:
            with anyio.move_on_after(0.3) as scope:
                async with router.stream(model="r", messages=hello) as stream:
                    await read(stream)
            assert scope.cancelled_caught
            assert stream.state == "cancelled"
            assert [attempt.outcome for attempt in router.ledger] == ["cancelled"]
            await gone(simulator)
    gc.collect()


async def test_cancelling_before_the_first_word_is_in_the_ledger_too(
    make_router: MakeRouter, hello: Conversation, gone: Gone
) -> None:
    async with Simulator({"m": [Reply(latency=5)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}) as router:
            stream = router.stream(model="r", messages=hello)
            with anyio.move_on_after(0.2):
                async with stream:
                    raise AssertionError
            await gone(simulator)

    assert stream.state == "cancelled"
    assert [attempt.outcome for attempt in router.ledger] == ["cancelled"]


async def test_a_stalled_stream_is_given_up_after_the_idle_time(
    make_router: MakeRouter, hello: Conversation
) -> None:
    timeouts = {"timeouts": {"idle": "150ms"}}
    async with Simulator({"m": [Reply(text=LONG, stall_after_events=3)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}, defaults=timeouts) as router:
            async with router.stream(model="r", messages=hello) as stream:
                with pytest.raises(StreamInterruptedError, match=r"nothing came for 0\.15 s") as caught:
                    await read(stream)
            with pytest.raises(ProviderError, match=r"nothing came for 0\.15 s"):
                await router.complete(model="r", messages=hello, stream=True)

    assert caught.value.code == "idle_timeout"
    assert router.ledger.attempts()[0].outcome == "failed"


async def test_a_slow_but_steady_stream_outlives_the_limit_on_its_first_word(
    make_router: MakeRouter, hello: Conversation
) -> None:
    timeouts = {"timeouts": {"first_token": "400ms", "idle": "400ms"}}
    async with Simulator({"m": [Reply(text=LONG, drip_delay=0.05)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m", "b/n"]}, defaults=timeouts) as router:
            async with router.stream(model="r", messages=hello) as stream:
                await read(stream)

    assert stream.response.text == LONG
    assert stream.trace.seconds > 0.4


async def test_the_deadline_holds_in_the_middle_of_a_stream(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator({"m": [Reply(text=LONG, stall_after_events=3)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}) as router:
            async with router.stream(model="r", messages=hello, deadline=0.4) as stream:
                with pytest.raises(DeadlineExceededError) as caught:
                    await read(stream)

    assert stream.state == "interrupted"
    assert caught.value.partial is not None
    assert LONG.startswith(caught.value.partial.text)
    assert caught.value.partial.text
    assert [attempt.outcome for attempt in caught.value.attempts] == ["failed"]


async def test_the_callers_own_time_is_not_the_streams(make_router: MakeRouter, hello: Conversation) -> None:
    timeouts = {"timeouts": {"idle": "200ms", "first_token": "2s"}}
    async with Simulator({"m": [Reply(text=LONG)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}, defaults=timeouts) as router:
            async with router.stream(model="r", messages=hello) as stream:
                await anyio.sleep(0.3)
                assert "".join([chunk.text async for chunk in stream]) == LONG


async def test_a_request_that_breaks_the_contract_is_told_before_anything_is_sent(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator() as simulator, make_router(simulator, {"r": ["a/m"]}) as router:
        with pytest.raises(RequestError, match="temperature"):
            router.stream(model="r", messages=hello, temperature=9)
    assert simulator.requests == []


async def test_a_stream_is_read_inside_its_context_once_and_by_one_task(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator({"m": [Reply(text=LONG, stall_after_events=3)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}) as router:
            stream = router.stream(model="r", messages=hello)
            with pytest.raises(StreamStateError, match="async with"):
                await anext(stream)
            with pytest.raises(StreamStateError, match="async with"):
                _ = stream.response
            async with stream, anyio.create_task_group() as tasks:
                with pytest.raises(StreamStateError, match="entered once"):
                    await stream.__aenter__()
                tasks.start_soon(read, stream)
                await anyio.sleep(0.1)
                with pytest.raises(StreamStateError, match="two tasks"):
                    await anext(stream)
                tasks.cancel_scope.cancel()


async def test_the_connection_serves_again_after_a_whole_stream(
    make_router: MakeRouter, hello: Conversation
) -> None:
    places: list[Place] = []

    class Counting(FastTransport):
        async def connect(self, place: Place) -> Connection:
            places.append(place)
            return await super().connect(place)

    options = {"transport": Counting()}
    async with Simulator() as simulator, make_router(simulator, {"r": ["a/m"]}, options=options) as router:
        for _ in range(3):
            async with router.stream(model="r", messages=hello) as stream:
                await read(stream)

    assert len(places) == 1
    assert not any(request.disconnected for request in simulator.requests)


async def test_usage_that_came_before_the_end_is_paid_for_at_its_price(
    make_router: MakeRouter, hello: Conversation
) -> None:
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}
    async with Simulator({"m": [Reply(text="Hi", usage=usage)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}) as router:
            async with router.stream(model="r", messages=hello) as stream:
                await read(stream)

    assert router.ledger.total.cost == Decimal(1)
