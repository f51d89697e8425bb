"""Streams that break after their first word: what callers see where `on_interrupt` says to go on."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest
import structlog
from structlog.testing import capture_logs

from turnout import (
    ChatChunk,
    ChatStream,
    DeadlineExceededError,
    InternalServerError,
    Router,
    StreamInterruptedError,
)
from turnout.config.loading import parse_settings
from turnout.promises import shortfalls
from turnout.providers.folding import fold
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]
LONG = "one two  three\n\nfour, five six — sieben acht\tnine ten."
OTHER = "eins zwei drei"


def able(simulator: Simulator, how: str, chain: list[str], **more: Any) -> dict[str, Any]:
    """Settings whose providers, `a`, `b` and `c`, go on with a last message of the assistant's."""
    provider = {"dialect": "openai", "base_url": simulator.url, "api_key": "k", "quirks": {"prefill": {}}}
    known = {"models": {"*": {"prefill": True}}}
    return {
        "providers": {name: {**provider, **known} for name in "abc"},
        "routes": {"r": {"chain": chain, "on_interrupt": how, **more.pop("route", {})}},
        "defaults": {"retry": {"attempts": 1}},
        "prices": {f"{name}/*": {"input": 1, "output": 2} for name in "abc"},
        **more,
    }


async def read(stream: ChatStream) -> list[ChatChunk]:
    return [chunk async for chunk in stream]


def text_of(chunks: list[ChatChunk]) -> str:
    """What a caller has who heeds `reset`."""
    text = ""
    for chunk in chunks:
        text = "" if chunk.reset else text + chunk.text
    return text


def outcomes(stream: ChatStream) -> list[tuple[str, str]]:
    return [(attempt.target, attempt.outcome) for attempt in stream.trace.attempts]


async def run(
    settings: dict[str, Any], messages: Conversation, *, logger: Any = None, **fields: Any
) -> tuple[ChatStream, list[ChatChunk]]:
    """The stream after its end, and all its chunks."""
    async with Router(settings, env={}, seed=1, logger=logger) as router:
        async with router.stream(model="r", messages=messages, **fields) as stream:
            assert stream.state == "committed"
            chunks = await read(stream)
    return stream, chunks


@pytest.mark.parametrize("cut", range(2, 13))
async def test_the_joined_text_is_that_of_an_uncut_stream(hello: Conversation, cut: int) -> None:
    scripts = {"m": [Reply(text=LONG, cut_after_events=cut)], "n": [Reply(text=LONG, goes_on="rest")]}
    async with Simulator(scripts) as simulator:
        stream, chunks = await run(able(simulator, "continue", ["a/m", "b/n"]), hello)

    assert stream.state == "completed"
    assert text_of(chunks) == stream.response.text == LONG
    assert stream.response.finish_reason == "stop"
    assert (stream.provider, stream.model) == ("b", "n")
    assert (stream.response.provider, stream.response.model) == ("b", "n")
    assert outcomes(stream) == [("a/m", "failed"), ("b/n", "ok")]
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices].count("assistant") == 1
    given = simulator.requests[1].body["messages"][-1]
    assert given["role"] == "assistant"
    assert given["content"] == given["content"].rstrip()


async def test_what_both_attempts_took_is_added_up(hello: Conversation) -> None:
    scripts = {"m": [Reply(text=LONG, cut_after_events=5)], "n": [Reply(text=LONG, goes_on="rest")]}
    async with Simulator(scripts) as simulator:
        settings = able(simulator, "continue", ["a/m", "b/n"])
        stream, chunks = await run(settings, hello, stream_options={"include_usage": True})
    response, attempts = stream.response, stream.trace.attempts

    [told] = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert told == response.usage
    assert response.usage is not None
    [first, second] = attempts
    assert first.usage is None  # the provider never told
    assert second.usage is not None
    assert response.usage.prompt_tokens > second.usage.prompt_tokens
    assert response.usage.completion_tokens > second.usage.completion_tokens
    assert first.cost.basis == "estimated"
    assert response.cost is not None
    assert (response.cost.amount, response.cost.basis) == (stream.trace.cost.amount, "estimated")
    assert response.cost.amount == Decimal(first.cost.amount or 0) + Decimal(second.cost.amount or 0)
    assert fold(chunks).text == response.text


async def test_a_restart_says_that_what_came_is_void(hello: Conversation) -> None:
    scripts = {"m": [Reply(text=LONG, cut_after_events=4)], "n": [Reply(text=OTHER)]}
    async with Simulator(scripts) as simulator:
        stream, chunks = await run(able(simulator, "restart", ["a/m", "b/n"]), hello)

    resets = [chunk for chunk in chunks if chunk.reset]
    assert len(resets) == 1
    assert resets[0].wire()["reset"] is True
    assert text_of(chunks) == stream.response.text == fold(chunks).text == OTHER
    assert fold(chunks).id == stream.response.id == resets[0].id
    assert (stream.state, stream.provider) == ("completed", "b")
    assert outcomes(stream) == [("a/m", "failed"), ("b/n", "ok")]
    assert simulator.requests[0].body["messages"] == simulator.requests[1].body["messages"]
    assert stream.response.usage == stream.trace.attempts[1].usage
    assert stream.response.cost == stream.trace.attempts[1].cost


@pytest.mark.parametrize("how", ["restart", "continue"])
async def test_more_than_one_may_break(hello: Conversation, how: str) -> None:
    scripts = {
        "m": [Reply(text=LONG, cut_after_events=3)],
        "n": [Reply(text=LONG, goes_on="rest", cut_after_events=3)],
        "o": [Reply(text=LONG, goes_on="rest")],
    }
    async with Simulator(scripts) as simulator:
        stream, chunks = await run(able(simulator, how, ["a/m", "b/n", "c/o"]), hello)

    assert text_of(chunks) == stream.response.text == LONG
    assert outcomes(stream) == [("a/m", "failed"), ("b/n", "failed"), ("c/o", "ok")]
    assert sum(bool(chunk.reset) for chunk in chunks) == (2 if how == "restart" else 0)
    assert stream.response.cost is not None
    if how == "continue":
        assert stream.response.cost.amount == stream.trace.cost.amount


@pytest.mark.parametrize(
    "failure",
    [
        Reply(text=LONG, cut_after_events=4),
        Reply(text=LONG, end_after_events=4),
        Reply(text=LONG, stall_after_events=4),
        Reply(text=LONG, malformed_event=4),
        Reply(text=LONG, error_event_after=4),
    ],
    ids=["cut", "ended", "stalled", "malformed", "error event"],
)
@pytest.mark.parametrize("how", ["restart", "continue"])
async def test_every_sort_of_interruption_counts(hello: Conversation, how: str, failure: Reply) -> None:
    scripts = {"m": [failure], "n": [Reply(text=LONG, goes_on="rest")]}
    async with Simulator(scripts) as simulator:
        settings = able(simulator, how, ["a/m", "b/n"], route={"timeouts": {"idle": "50ms"}})
        stream, chunks = await run(settings, hello)
    assert text_of(chunks) == LONG
    assert outcomes(stream) == [("a/m", "failed"), ("b/n", "ok")]


async def test_the_next_one_that_can_goes_on(hello: Conversation) -> None:
    scripts = {"m": [Reply(text=LONG, cut_after_events=4)], "o": [Reply(text=LONG, goes_on="rest")]}
    async with Simulator(scripts) as simulator:
        settings = able(simulator, "continue", ["a/m", "b/n", "c/o"])
        del settings["providers"]["b"]["quirks"]
        stream, chunks = await run(settings, hello)
    assert text_of(chunks) == LONG
    assert outcomes(stream) == [("a/m", "failed"), ("c/o", "ok")]


async def test_a_target_that_fails_to_go_on_leaves_it_to_the_next(hello: Conversation) -> None:
    scripts = {
        "m": [Reply(text=LONG, cut_after_events=4)],
        "n": [Reply(status=500)],
        "o": [Reply(text=LONG, goes_on="rest")],
    }
    async with Simulator(scripts) as simulator:
        stream, chunks = await run(able(simulator, "continue", ["a/m", "b/n", "c/o"]), hello)
    assert text_of(chunks) == LONG
    assert outcomes(stream) == [("a/m", "failed"), ("b/n", "failed"), ("c/o", "ok")]


async def test_a_host_that_refuses_to_go_on_leaves_it_to_the_next(hello: Conversation) -> None:
    scripts = {
        "m": [Reply(text=LONG, cut_after_events=4)],
        "n": [Reply(status=400, error="This model does not support assistant message prefill.")],
        "o": [Reply(text=LONG, goes_on="rest")],
    }
    async with Simulator(scripts) as simulator:
        stream, chunks = await run(able(simulator, "continue", ["a/m", "b/n", "c/o"]), hello)
        error = await refused(able(simulator, "restart", ["a/m", "b/n", "c/o"]), hello)
    assert text_of(chunks) == LONG
    assert outcomes(stream) == [("a/m", "failed"), ("b/n", "failed"), ("c/o", "ok")]
    assert [attempt.target for attempt in error.attempts] == ["a/m", "b/n"]


@pytest.mark.parametrize("how", ["restart", "continue"])
async def test_events_tell_who_is_asked_to_go_on(hello: Conversation, how: str) -> None:
    scripts = {"m": [Reply(text=LONG, cut_after_events=4)], "n": [Reply(text=LONG, goes_on="rest")]}
    with capture_logs() as logs:
        async with Simulator(scripts) as simulator:
            stream, _ = await run(able(simulator, how, ["a/m", "b/n"]), hello, logger=structlog.get_logger())
    [told] = [line for line in logs if line["event"] == "stream.resumed"]
    assert told == {
        "event": "stream.resumed", "log_level": "info", "call_id": stream.trace.call_id, "how": how,
        "target": "a/m", "next_target": "b/n", "kind": "interrupted",
    }  # fmt: skip
    assert logs[-1]["event"] == "call.finished"


async def test_keys_and_branches_do_not_hide_who_comes_next(hello: Conversation) -> None:
    scripts = {
        "m": [Reply(status=400, error={"code": "context_length_exceeded", "message": "too long"})],
        "n": [Reply(text=LONG, cut_after_events=4)],
        "o": [Reply(text=LONG, goes_on="rest")],
    }
    async with Simulator(scripts) as simulator:
        settings = able(simulator, "continue", ["a/m"], route={"context_window": ["b/n", "c/o"]})
        del settings["providers"]["b"]["api_key"]
        settings["providers"]["b"]["api_keys"] = ["one", "two"]
        stream, chunks = await run(settings, hello)
    assert text_of(chunks) == LONG
    assert outcomes(stream) == [("a/m", "failed"), ("b/n", "failed"), ("c/o", "ok")]


@pytest.mark.parametrize("how", ["restart", "continue"])
async def test_who_was_turned_away_is_a_last_hope(hello: Conversation, how: str) -> None:
    scripts = {
        "m": [Reply(status=500), Reply(text=LONG, goes_on="rest")],
        "n": [Reply(text=LONG, cut_after_events=4)],
    }
    async with Simulator(scripts) as simulator:
        settings = able(simulator, how, ["a/m", "b/n"])
        settings["providers"]["a"]["breaker"] = {"failures": 1}
        async with Router(settings, env={}, seed=1) as router:
            with pytest.raises(InternalServerError):
                await router.complete(model="a/m", messages=hello)
            async with router.stream(model="r", messages=hello) as stream:
                chunks = await read(stream)
    assert text_of(chunks) == LONG
    tried = [one for one in outcomes(stream) if one[1] != "rejected"]
    assert tried == [("b/n", "failed"), ("a/m", "ok")]


def test_checking_tells_which_targets_cannot_go_on() -> None:
    house = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
    chain = ["claude/claude-haiku-4-5", "claude/claude-opus-4-6", "house/m"]
    config = {"providers": {"claude": {"preset": "anthropic", "api_key": "k"}, "house": house}}
    for how, told in (("continue", ["claude/claude-opus-4-6", "house/m"]), ("restart", [])):
        routes = {"r": {"chain": chain, "on_interrupt": how}}
        found = shortfalls(parse_settings({**config, "routes": routes}, env={}), {})
        assert [one.target for one in found if "go on" in str(one)] == told


async def refused(settings: dict[str, Any], messages: Conversation, **fields: Any) -> StreamInterruptedError:
    """The interruption that nobody goes on after."""
    async with Router(settings, env={}, seed=1) as router:
        async with router.stream(model="r", messages=messages, **fields) as stream:
            with pytest.raises(StreamInterruptedError) as caught:
                await read(stream)
            assert stream.state == "interrupted"
            assert await stream.receive() is None
    return caught.value


CALL = {"name": "f", "arguments": {"where": "somewhere far away"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    ("reply", "fields"),
    [
        (Reply(text=LONG, tool_calls=[CALL], cut_after_events=14), {"tools": [TOOL]}),
        (Reply(text=LONG, refusal="I will not say more of that.", cut_after_events=15), {}),
        (Reply(text='{"a": 1, "b": 2}', cut_after_events=3), {"response_format": {"type": "json_object"}}),
        (Reply(text=LONG, cut_after_events=6), {"n": 2}),
        (Reply(text=LONG, cut_after_events=4), {"tools": [TOOL], "tool_choice": "required"}),
    ],
    ids=["half a call", "refusal", "JSON", "two choices", "forced call"],
)
async def test_what_cannot_be_gone_on_with_is_told(
    hello: Conversation, reply: Reply, fields: dict[str, Any]
) -> None:
    scripts = {"m": [reply], "n": [Reply(text=LONG, goes_on="rest")]}
    async with Simulator(scripts) as simulator:
        error = await refused(able(simulator, "continue", ["a/m", "b/n"]), hello, **fields)
        assert len(simulator.requests) == 1
    assert error.partial is not None
    assert [attempt.target for attempt in error.attempts] == ["a/m"]


@pytest.mark.parametrize("how", ["restart", "continue"])
async def test_where_nobody_is_left_the_interruption_is_raised(hello: Conversation, how: str) -> None:
    scripts = {"m": [Reply(text=LONG, cut_after_events=4)], "n": [Reply(status=400)]}
    async with Simulator(scripts) as simulator:
        alone = await refused(able(simulator, how, ["a/m"]), hello)
        error = await refused(able(simulator, how, ["a/m", "b/n"]), hello)
        few = await refused(able(simulator, how, ["a/m", "b/n"], route={"max_attempts": 1}), hello)
    assert error.partial is not None
    assert LONG.startswith(error.partial.text)
    assert [attempt.target for attempt in error.attempts] == ["a/m", "b/n"]
    assert error.__cause__ is not None
    assert (len(alone.attempts), len(few.attempts)) == (1, 1)


async def test_the_deadline_ends_the_going_on(hello: Conversation) -> None:
    scripts = {"m": [Reply(text=LONG, cut_after_events=4)], "n": [Reply(text=LONG, latency=5)]}
    async with Simulator(scripts) as simulator:
        async with Router(able(simulator, "continue", ["a/m", "b/n"]), env={}) as router:
            async with router.stream(model="r", messages=hello, deadline=0.2) as stream:
                with pytest.raises(DeadlineExceededError) as caught:
                    await read(stream)
    assert stream.state == "interrupted"
    assert caught.value.partial is not None
    assert LONG.startswith(caught.value.partial.text)
    assert [attempt.target for attempt in caught.value.attempts] == ["a/m", "b/n"]


async def test_thoughts_alone_are_followed_by_any_target(hello: Conversation) -> None:
    scripts = {
        "m": [Reply(text=LONG, reasoning="Let me think about it", cut_after_events=3)],
        "n": [Reply(text=OTHER, reasoning="It is easy")],
    }
    async with Simulator(scripts) as simulator:
        settings = able(simulator, "continue", ["a/m", "b/n"])
        del settings["providers"]["b"]["models"]
        stream, chunks = await run(settings, hello)
        assert simulator.requests[1].body["messages"] == hello
    assert stream.response.text == OTHER
    assert stream.response.reasoning == "Let me\n\nIt is easy"
    assert "".join(chunk.reasoning for chunk in chunks) == stream.response.reasoning


async def test_thoughts_are_kept_and_not_thought_again(hello: Conversation) -> None:
    scripts = {
        "m": [Reply(text=LONG, reasoning="Let me think", cut_after_events=6)],
        "n": [Reply(text=LONG, reasoning="Again", goes_on="rest")],
    }
    async with Simulator(scripts) as simulator:
        settings = able(simulator, "continue", ["a/m", "b/n"])
        stream, _ = await run(settings, hello, reasoning_effort="high", max_tokens=100)
        [first, second] = [request.body for request in simulator.requests]
    assert (stream.response.text, stream.response.reasoning) == (LONG, "Let me think")
    assert (first["reasoning_effort"], second["reasoning_effort"]) == ("high", "none")
    assert first["max_tokens"] == 100
    assert 50 < second["max_tokens"] < 100


async def test_an_answer_that_is_there_but_for_its_end_is_complete(hello: Conversation) -> None:
    scripts = {"m": [Reply(text="Hello there", stall_after_events=4)], "n": [Reply(text=OTHER)]}
    async with Simulator(scripts) as simulator:
        settings = able(simulator, "restart", ["a/m", "b/n"], route={"timeouts": {"idle": "50ms"}})
        stream, _ = await run(settings, hello)
        assert len(simulator.requests) == 1
    assert (stream.state, stream.response.text, stream.response.finish_reason) == (
        "completed",
        "Hello there",
        "stop",
    )


async def test_nothing_may_be_left_to_say(hello: Conversation) -> None:
    scripts = {"m": [Reply(text=LONG, cut_after_events=12)], "n": [Reply(text=LONG, goes_on="rest")]}
    async with Simulator(scripts) as simulator:
        stream, chunks = await run(able(simulator, "continue", ["a/m", "b/n"]), hello)
        assert simulator.requests[1].body["messages"][-1]["content"] == LONG
    assert text_of(chunks) == stream.response.text == LONG
    assert stream.response.finish_reason == "stop"


async def test_leaving_early_closes_the_one_that_goes_on(hello: Conversation) -> None:
    scripts = {
        "m": [Reply(text=LONG, cut_after_events=3)],
        "n": [Reply(text=LONG, goes_on="rest", stall_after_events=3)],
    }
    async with Simulator(scripts) as simulator:
        async with Router(able(simulator, "continue", ["a/m", "b/n"]), env={}) as router:
            async with router.stream(model="r", messages=hello) as stream:
                async for _ in stream:
                    if stream.provider == "b":
                        break
                assert stream.state == "committed"
            with anyio.fail_after(2):
                while not simulator.requests[1].disconnected:
                    await anyio.sleep(0.01)
    assert stream.state == "cancelled"
    assert outcomes(stream) == [("a/m", "failed"), ("b/n", "cancelled")]
    assert LONG.startswith(stream.response.text)


async def test_a_whole_answer_needs_none_of_it(hello: Conversation) -> None:
    scripts = {"m": [Reply(status=500)], "n": [Reply(text=OTHER)]}
    async with Simulator(scripts) as simulator:
        async with Router(able(simulator, "continue", ["a/m", "b/n"]), env={}) as router:
            reply = await router.complete(model="r", messages=hello)
    assert reply.text == OTHER
