"""The floor under a stream's pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout import AllTargetsFailedError, ChatChunk, Router, StreamInterruptedError
from turnout.config.policies import SlowStream
from turnout.pace import SLOW, Pace, PacedReply, size_of
from turnout.replies import StreamReply
from turnout.testing import Reply, Simulator

MakeRouter = Callable[..., Router]
WORDS = "one two three four five six seven eight"


def pace(rate: float = 1.0, window: float = 10.0) -> Pace:
    """By default 40 bytes are needed in ten seconds."""
    return Pace(SlowStream(tokens_per_second=rate, window=window))


def test_a_window_has_to_be_full_before_it_counts() -> None:
    floor = pace()
    assert floor.left == 10
    floor.waited(4)
    floor.said(39)
    assert floor.left == 6
    floor.said(1)
    assert floor.left == 10  # what came after four seconds is enough until the fourteenth
    floor.waited(10)
    assert floor.left == 0


def test_what_came_last_counts() -> None:
    floor = pace()
    for _ in range(30):
        floor.waited(1)
        floor.said(4)
        assert floor.left > 0
    floor.waited(1)
    assert floor.left <= 0


@given(
    st.lists(st.tuples(st.floats(0, 4), st.integers(0, 60)), max_size=30),
    st.floats(0.5, 5),
    st.floats(1, 12),
)
def test_it_says_what_adding_up_the_window_says(
    pieces: list[tuple[float, int]], rate: float, window: float
) -> None:
    floor, now, came = pace(rate, window), 0.0, [(0.0, 0)]
    for seconds, size in pieces:
        left = floor.left
        due = next(
            (at + window for at, _ in came if sum(n for t, n in came if t > at) < rate * window * 4), window
        )
        assert left == pytest.approx(max(due, window) - now)
        if seconds >= left:
            return
        floor.waited(seconds)
        floor.said(size)
        now += seconds
        came.append((now, size))


def test_everything_said_has_a_size() -> None:
    deltas: list[dict[str, Any]] = [
        {"content": "abcd", "reasoning": "é", "refusal": "x"},
        {
            "tool_calls": [
                {"function": {"name": "f", "arguments": "{}"}},
                {"custom": {"name": "g", "input": "i"}},
            ]
        },
        {"audio": {"data": "AAAA", "transcript": "t"}},
        {"reasoning_details": [{"data": "sealed"}]},
        {"role": "assistant"},
    ]
    sizes = [
        size_of(ChatChunk.model_validate({"choices": [{"index": 0, "delta": delta}]})) for delta in deltas
    ]
    assert sizes[:3] == [7, 5, 5]
    assert sizes[3] > 6
    assert sizes[4] == 0


SLOWLY = Reply(text=WORDS, drip_delay=0.1)
FLOOR = {"slow_stream": {"tokens_per_second": 100, "window": "150ms"}}


@pytest.mark.anyio
async def test_a_slow_stream_is_an_interruption(make_router: MakeRouter, hello: list[dict[str, Any]]) -> None:
    async with Simulator({"m": [SLOWLY]}) as simulator:
        async with make_router(simulator, {"r": {"chain": ["a/m"], **FLOOR}}) as router:
            async with router.stream(model="r", messages=hello) as stream:
                with pytest.raises(StreamInterruptedError, match="fewer than 100 tokens a second") as caught:
                    async for _ in stream:
                        pass
    assert caught.value.code == SLOW
    assert caught.value.partial is not None
    assert WORDS.startswith(caught.value.partial.text)
    assert stream.trace.attempts[0].outcome == "failed"


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["restart", "continue"])
async def test_the_next_target_takes_over_from_a_slow_one(
    make_router: MakeRouter, hello: list[dict[str, Any]], how: str
) -> None:
    scripts = {"m": [SLOWLY], "n": [Reply(text=WORDS, goes_on="rest")]}
    async with Simulator(scripts) as simulator:
        route = {"chain": ["a/m", "b/n"], "on_interrupt": how, **FLOOR}
        provider = {"dialect": "openai", "base_url": simulator.url, "quirks": {"prefill": {}}}
        settings = {
            "providers": {"a": provider, "b": {**provider, "models": {"*": {"prefill": True}}}},
            "routes": {"r": route},
        }
        async with Router(settings, env={}) as router:
            async with router.stream(model="r", messages=hello) as stream:
                text = ""
                async for chunk in stream:
                    text = "" if chunk.reset else text + chunk.text
    assert text == stream.response.text == WORDS
    assert [attempt.outcome for attempt in stream.trace.attempts] == ["failed", "ok"]


@pytest.mark.anyio
async def test_an_answer_wanted_whole_goes_to_the_next_target(
    make_router: MakeRouter, hello: list[dict[str, Any]]
) -> None:
    async with Simulator({"m": [SLOWLY], "n": [Reply(text=WORDS)]}) as simulator:
        routes = {name: {"chain": chain, **FLOOR} for name, chain in (("r", ["a/m", "b/n"]), ("s", ["a/m"]))}
        async with make_router(simulator, routes) as router:
            reply = await router.complete(model="r", messages=hello, stream=True)
            with pytest.raises((StreamInterruptedError, AllTargetsFailedError)):
                await router.complete(model="s", messages=hello, stream=True)
    assert reply.text == WORDS
    first = reply.trace.attempts[0].error
    assert (first.kind, first.code) == ("interrupted", SLOW)


@pytest.mark.anyio
async def test_a_reader_who_takes_his_time_is_not_the_providers_fault(
    make_router: MakeRouter, hello: list[dict[str, Any]]
) -> None:
    import anyio

    async with Simulator({"m": [Reply(text=WORDS)]}) as simulator:
        async with make_router(simulator, {"r": {"chain": ["a/m"], **FLOOR}}) as router:
            async with router.stream(model="r", messages=hello) as stream:
                async for _ in stream:
                    await anyio.sleep(0.03)
    assert (stream.state, stream.response.text) == ("completed", WORDS)


@pytest.mark.anyio
@pytest.mark.parametrize("slow_stream", [{"slow_stream": False}, {}, FLOOR])
async def test_without_a_floor_there_is_nothing_around_a_stream(
    make_router: MakeRouter, hello: list[dict[str, Any]], slow_stream: dict[str, Any]
) -> None:
    async with Simulator({"m": [Reply(text=WORDS)]}) as simulator:
        async with make_router(simulator, {"r": {"chain": ["a/m"], **slow_stream}}) as router:
            async with router.stream(model="r", messages=hello) as stream:
                kind = type(stream._reply)
    assert kind is (PacedReply if slow_stream is FLOOR else StreamReply)
