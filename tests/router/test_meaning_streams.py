"""Streams are judged as long as nobody has seen any of them, and not a moment longer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from turnout import AttemptTimeoutError, RefusalError, Router
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Gone = Callable[[Simulator], Awaitable[None]]
Conversation = list[dict[str, Any]]

EVERY = ["empty", "refusal", "content_policy", "truncated", "invalid_json"]
AT_ONCE = 65_536
LONG = "I am sorry, but this is nothing that I will ever help anybody with."


def chain(*targets: str, **more: Any) -> dict[str, Any]:
    """A route that goes on after every kind of answer."""
    return {"chain": list(targets), "fallback_on": EVERY, **more}


async def told(router: Router, hello: Conversation, **fields: Any) -> tuple[str, list[str]]:
    """What the caller of a stream sees, and the outcomes of the attempts."""
    async with router.stream(model="r", messages=hello, **fields) as stream:
        text = "".join([chunk.text or (chunk.choices[0].delta.refusal or "") async for chunk in stream])
    return text, [attempt.outcome for attempt in stream.trace.attempts]


@pytest.mark.parametrize(
    "said",
    [
        {"text": "Half of", "finish_reason": "length"},
        {"text": "Half of", "finish_reason": "content_filter"},
        {"text": "No JSON."},
    ],
)
async def test_what_was_shown_stays(
    make_router: MakeRouter, hello: Conversation, said: dict[str, Any]
) -> None:
    piecemeal = Reply(**said, drip=8, drip_delay=0.0005)
    async with Simulator({"bad": [piecemeal]}) as simulator:
        async with make_router(simulator, {"r": chain("a/bad", "b/good")}) as router:
            asks = {"type": "json_object"}
            assert await told(router, hello, response_format=asks) == (said["text"], ["ok"])


async def test_a_refusal_is_read_to_its_end_before_anybody_sees_it(
    make_router: MakeRouter, hello: Conversation
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
    refusal = Reply(text=None, refusal=LONG, drip=64, drip_delay=0.0005, usage=usage)
    routes = {"r": chain("a/bad", "b/good"), "alone": chain("a/bad")}
    async with Simulator({"bad": [refusal], "good": [Reply(text="Fine.")]}) as simulator:
        async with make_router(simulator, routes) as router:
            assert await told(router, hello) == ("Fine.", ["failed", "ok"])
            with pytest.raises(RefusalError) as caught:
                async with router.stream(model="alone", messages=hello):
                    pass
        assert not any(request.disconnected for request in simulator.requests)

    error = caught.value
    assert error.response is not None
    assert (error.response.refusal, error.response.finish_reason) == (LONG, "stop")
    assert error.usage is not None
    assert (error.usage.total_tokens, error.attempts[0].cost.basis) == (30, "priced")


async def test_a_refusal_is_shown_as_it_comes_where_nobody_minds(
    make_router: MakeRouter, hello: Conversation
) -> None:
    refusal = Reply(text=None, refusal=LONG, drip=64, drip_delay=0.0005)
    route = {"chain": ["a/bad", "b/good"], "fallback_on": ["truncated", "empty"]}
    async with Simulator({"bad": [refusal]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            assert await told(router, hello) == (LONG, ["ok"])


async def test_a_refusal_that_breaks_off_or_stalls_sends_the_call_on(
    make_router: MakeRouter, hello: Conversation, gone: Gone
) -> None:
    stalled = Reply(text=None, refusal=LONG, stall_after_events=3)
    broken = Reply(text=None, refusal=LONG, cut_after_events=3)
    short = {"idle": "50ms", "first_token": "5s"}
    route = {
        "chain": [{"target": "a/stalled", "timeouts": short}, "a/broken", "b/good"],
        "fallback_on": [*EVERY, "connection", "timeout"],
        "retry": {"attempts": 1},
    }
    scripts = {"stalled": [stalled], "broken": [broken], "good": [Reply(text="Fine.")]}
    async with Simulator(scripts) as simulator, make_router(simulator, {"r": route}) as router:
        async with router.stream(model="r", messages=hello) as stream:
            assert "".join([chunk.text async for chunk in stream]) == "Fine."
        await gone(simulator)

    kinds = [attempt.error and attempt.error.kind for attempt in stream.trace.attempts]
    assert kinds == ["timeout", "connection", None]


async def test_a_refusal_that_stalls_alone_is_a_timeout(make_router: MakeRouter, hello: Conversation) -> None:
    stalled = Reply(text=None, refusal=LONG, stall_after_events=3)
    route = chain("a/stalled", timeouts={"idle": "50ms"}, retry={"attempts": 1})
    async with Simulator({"stalled": [stalled]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            with pytest.raises(AttemptTimeoutError, match=r"nothing came for 0\.05 s"):
                await told(router, hello)


async def test_thoughts_before_a_refusal_are_shown_and_so_is_the_refusal(
    make_router: MakeRouter, hello: Conversation
) -> None:
    thinking = Reply(text=None, reasoning="Should I?", refusal="No.", drip=64, drip_delay=0.0005)
    async with Simulator({"bad": [thinking]}) as simulator:
        async with make_router(simulator, {"r": chain("a/bad", "b/good")}) as router:
            text, outcomes = await told(router, hello)

    assert (text, outcomes) == ("No.", ["ok"])


async def test_a_good_answer_that_comes_at_once_is_told_piece_by_piece(
    make_router: MakeRouter, hello: Conversation
) -> None:
    text = "One word after another makes a sentence."
    async with Simulator({"m": [Reply(text=text, drip=AT_ONCE)]}) as simulator:
        async with make_router(simulator, {"r": chain("a/m")}) as router:
            async with router.stream(model="r", messages=hello) as stream:
                pieces = [chunk.text async for chunk in stream]
                assert stream.state == "completed"

    assert "".join(pieces) == stream.response.text == text
    assert len(pieces) > 3


async def test_what_breaks_behind_the_first_word_but_comes_with_it_is_not_shown(
    make_router: MakeRouter, hello: Conversation
) -> None:
    broken = Reply(text="Half of it", malformed_event=3, drip=AT_ONCE)
    route = chain("a/bad", "b/good")
    route["fallback_on"] = ["malformed", "interrupted", "truncated"]
    async with Simulator({"bad": [broken], "good": [Reply(text="Fine.")]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            text, outcomes = await told(router, hello)

    assert (text, outcomes) == ("Fine.", ["failed", "ok"])
