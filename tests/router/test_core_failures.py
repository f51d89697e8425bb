"""What a call does when providers fail: retries, fallbacks, limits, and what it raises in the end."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest

from turnout import (
    AllTargetsFailedError,
    AttemptTimeoutError,
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    ContentPolicyError,
    ContextWindowError,
    DeadlineExceededError,
    EmptyResponseError,
    InternalServerError,
    MalformedResponseError,
    ManualClock,
    ProviderError,
    RateLimitError,
    Router,
)
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Gone = Callable[[Simulator], Awaitable[None]]
Conversation = list[dict[str, Any]]


FAILURES = {
    "rate_limit": Reply(status=429),
    "quota": Reply(status=429, error={"message": "Quota used up.", "code": "insufficient_quota"}),
    "overloaded": Reply(status=503),
    "server": Reply(status=500),
    "connection": Reply(hang_up=True),
    "malformed": Reply(body=b"<html>Welcome</html>"),
    "interrupted": Reply(end_after_events=1),
    "empty": Reply(text=""),
    "context_window": Reply(status=400, error={"message": "Too long.", "code": "context_length_exceeded"}),
    "authentication": Reply(status=401),
    "permission": Reply(status=403),
    "not_found": Reply(status=404),
}


@pytest.mark.parametrize("kind", FAILURES)
async def test_the_next_target_answers_after_every_kind_that_allows_it(
    make_router: MakeRouter, hello: Conversation, kind: str
) -> None:
    async with Simulator({"bad": [FAILURES[kind]], "good": [Reply(text="Fine")]}) as simulator:
        async with make_router(simulator, {"r": ["a/bad", "b/good"]}) as router:
            reply = await router.complete(model="r", messages=hello, stream=kind == "interrupted")

    *failed, answered = reply.trace.attempts
    assert {attempt.error.kind for attempt in failed if attempt.error} == {kind}
    assert (reply.text, answered.target) == ("Fine", "b/good")
    assert router.ledger.attempts() == list(reply.trace.attempts)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=400), BadRequestError),
        (
            Reply(status=400, error={"message": "Filtered.", "code": "content_filter"}),
            ContentPolicyError,
        ),
    ],
)
async def test_a_kind_that_no_other_target_would_mend_is_raised_as_it_is(
    make_router: MakeRouter, hello: Conversation, reply: Reply, error: type[ProviderError]
) -> None:
    async with Simulator({"bad": [reply]}) as simulator:
        async with make_router(simulator, {"r": ["a/bad", "b/good"]}) as router:
            with pytest.raises(error) as caught:
                await router.complete(model="r", messages=hello)

    assert len(simulator.requests) == len(caught.value.attempts) == 1
    assert (caught.value.provider, caught.value.model) == ("a", "bad")


async def test_a_route_decides_which_kinds_go_on(make_router: MakeRouter, hello: Conversation) -> None:
    routes = {"r": {"chain": ["a/bad", "b/good"], "fallback_on": ["invalid_request"]}}
    async with Simulator({"bad": [Reply(status=400), Reply(status=401)]}) as simulator:
        async with make_router(simulator, routes) as router:
            assert (await router.complete(model="r", messages=hello)).provider == "b"
            with pytest.raises(AuthenticationError):
                await router.complete(model="r", messages=hello)


async def test_a_prompt_too_long_goes_straight_to_the_larger_model(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {"r": {"chain": ["a/small", "a/sibling"], "context_window": ["b/large"]}}
    async with Simulator({"small": [FAILURES["context_window"]]}) as simulator:
        async with make_router(simulator, routes) as router:
            reply = await router.complete(model="r", messages=hello)

    assert [request.model for request in simulator.requests] == ["small", "large"]
    assert reply.model == "large"


async def test_the_call_ends_where_the_branch_ends(make_router: MakeRouter, hello: Conversation) -> None:
    routes = {"r": {"chain": ["a/small", "a/sibling"], "context_window": ["b/large"]}}
    too_long = FAILURES["context_window"]
    async with Simulator({"small": [too_long], "large": [too_long]}) as simulator:
        async with make_router(simulator, routes) as router:
            with pytest.raises(AllTargetsFailedError) as caught:
                await router.complete(model="r", messages=hello)

    assert [request.model for request in simulator.requests] == ["small", "large"]
    assert isinstance(caught.value.__cause__, ContextWindowError)


async def test_a_filtered_answer_goes_to_the_content_policy_branch(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {"r": {"chain": ["a/strict"], "content_policy": ["b/lenient"]}, "plain": ["a/strict"]}
    strict = Reply(text="", finish_reason="content_filter")
    async with Simulator({"strict": [strict], "lenient": [Reply(text="Fine")]}) as simulator:
        async with make_router(simulator, routes) as router:
            assert (await router.complete(model="r", messages=hello)).text == "Fine"
            assert (await router.complete(model="plain", messages=hello)).text == ""


async def test_an_empty_answer_is_an_error_only_where_the_route_says_so(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {"strict": ["a/mute"], "easy": {"chain": ["a/mute"], "fallback_on": []}, "cut": ["a/cut"]}
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}
    scripts = {"mute": [Reply(text="", usage=usage)], "cut": [Reply(text="", finish_reason="length")]}
    async with Simulator(scripts) as simulator, make_router(simulator, routes) as router:
        with pytest.raises(EmptyResponseError) as caught:
            await router.complete(model="strict", messages=hello)
        assert (await router.complete(model="easy", messages=hello)).text == ""
        assert (await router.complete(model="cut", messages=hello)).text == ""
        async with router.stream(model="easy", messages=hello) as stream:
            assert "".join([chunk.text async for chunk in stream]) == ""

    [attempt] = caught.value.attempts
    assert attempt.cost.amount == Decimal("0.001")  # what came to nothing is paid for all the same


async def test_every_failed_target_is_in_the_last_error(make_router: MakeRouter, hello: Conversation) -> None:
    async with Simulator({"x": [Reply(status=500)], "y": [Reply(status=429)]}) as simulator:
        async with make_router(simulator, {"r": ["a/x", "b/y"]}) as router:
            with pytest.raises(AllTargetsFailedError) as caught:
                await router.complete(model="r", messages=hello)

    error = caught.value
    assert [attempt.target for attempt in error.attempts] == ["a/x", "a/x", "b/y", "b/y"]
    assert [type(one) for one in error.errors] == [InternalServerError] * 2 + [RateLimitError] * 2
    assert error.__cause__ is error.errors[-1]
    assert "1. a/x: server 500" in str(error)
    assert "4. b/y: rate_limit 429" in str(error)
    assert router.ledger.total.attempts == 4
    assert router.ledger.total.calls == 1


async def test_no_secret_is_in_any_error_or_ledger_line(make_router: MakeRouter, hello: Conversation) -> None:
    echo = {"message": "Incorrect API key provided: sk-test-0123456789abcdef", "code": "invalid_api_key"}
    async with Simulator({"m": [Reply(status=401, error=echo)]}) as simulator:
        async with make_router(simulator, {"r": ["a/m", "b/m"]}) as router:
            with pytest.raises(AllTargetsFailedError) as caught:
                await router.complete(model="r", messages=hello)

    told = (
        "".join(traceback.format_exception(caught.value)) + repr(list(router.ledger)) + repr(router.settings)
    )
    assert "0123456789abcdef" not in told


async def test_a_servers_wait_is_kept_before_the_next_try(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    script = [Reply(status=429, headers={"retry-after": "7"}), Reply(text="Fine")]
    async with Simulator({"m": script}) as simulator:
        async with make_router(simulator, {"r": ["a/m", "b/n"]}, options={"clock": clock}) as router:
            reply = await router.complete(model="r", messages=hello)

    assert clock.sleeps == [7]
    assert [attempt.target for attempt in reply.trace.attempts] == ["a/m", "a/m"]
    assert reply.trace.seconds == 7


@pytest.mark.parametrize("wait", ["21", "3600"])
async def test_a_wait_too_long_to_keep_goes_on_at_once(
    make_router: MakeRouter, hello: Conversation, wait: str
) -> None:
    clock = ManualClock()
    async with Simulator({"m": [Reply(status=429, headers={"retry-after": wait})]}) as simulator:
        async with make_router(simulator, {"r": ["a/m", "b/n"]}, options={"clock": clock}) as router:
            reply = await router.complete(model="r", messages=hello)
            with pytest.raises(RateLimitError) as caught:
                await router.complete(model="a/m", messages=hello)

    assert reply.provider == "b"
    assert clock.sleeps == []
    assert caught.value.retry_after == float(wait)


LIMITS = {
    "first_token": ({"first_token": "100ms"}, Reply(latency=5), "first_token_timeout"),
    "attempt": ({"attempt": "100ms"}, Reply(latency=5), "attempt_timeout"),
    "body": ({"first_token": "100ms"}, Reply(text="x" * 400, drip=1, drip_delay=0.01), "first_token_timeout"),
}


@pytest.mark.parametrize("case", LIMITS)
async def test_a_slow_target_loses_its_turn(
    make_router: MakeRouter, hello: Conversation, gone: Gone, case: str
) -> None:
    timeouts, slow, code = LIMITS[case]
    routes = {"r": {"chain": [{"target": "a/slow", "timeouts": timeouts, "retry": {"attempts": 1}}, "b/ok"]}}
    async with Simulator({"slow": [slow]}) as simulator:
        async with make_router(simulator, routes) as router:
            reply = await router.complete(model="r", messages=hello)
        await gone(simulator)

    [late, answered] = reply.trace.attempts
    assert late.error is not None
    assert (late.error.kind, late.error.code) == ("timeout", code)
    assert late.cost.amount is None  # the provider may have gone on, and nobody will say
    assert answered.outcome == "ok"


async def test_a_server_that_nobody_reaches_is_a_connection_failure(hello: Conversation) -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    await listener.aclose()
    settings = {
        "providers": {"gone": {"dialect": "openai", "base_url": f"http://127.0.0.1:{port}/v1"}},
        "defaults": {"retry": {"base": 0}},
    }
    async with Router(settings) as router:
        with pytest.raises(ConnectionFailedError, match="no connection") as caught:
            await router.complete(model="gone/m", messages=hello)

    assert len(caught.value.attempts) == 2
    assert router.ledger.total.cost == 0  # nothing was sent, so this is known


async def test_the_deadline_ends_the_call_with_what_was_tried(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator({"slow": [Reply(latency=5)]}) as simulator:
        async with make_router(simulator, {"r": ["a/slow"]}) as router:
            with pytest.raises(DeadlineExceededError, match=r"deadline of 0\.2 s") as caught:
                await router.complete(model="r", messages=hello, deadline=0.2)

    [attempt] = caught.value.attempts
    assert attempt.error is not None
    assert attempt.error.code == "deadline"
    assert 0.15 < attempt.seconds < 2


async def test_a_silent_target_leaves_time_for_those_behind_it(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator({"slow": [Reply(latency=5)]}) as simulator:
        async with make_router(simulator, {"r": ["a/slow", "b/ok"]}) as router:
            reply = await router.complete(model="r", messages=hello, deadline=1.2)

    late = reply.trace.attempts[0]
    assert reply.provider == "b"
    assert len(reply.trace.attempts) == 2  # its share is used up, so it is not tried again
    assert late.error is not None
    assert late.error.code == "deadline_share"
    assert 0.7 < late.seconds < 1.2


async def test_when_time_is_up_between_targets_the_deadline_is_what_is_told(
    make_router: MakeRouter, hello: Conversation
) -> None:
    slow = Reply(latency=5)
    async with Simulator({"x": [slow], "y": [slow]}) as simulator:
        async with make_router(simulator, {"r": ["a/x", "b/y"]}) as router:
            with pytest.raises(DeadlineExceededError) as caught:
                await router.complete(model="r", messages=hello, deadline=0.3)

    assert [attempt.target for attempt in caught.value.attempts] == ["a/x", "b/y"]
    assert "timeout" in str(caught.value)


async def test_a_cancelled_call_closes_its_socket_and_is_in_the_ledger(
    make_router: MakeRouter, hello: Conversation, gone: Gone
) -> None:
    async with Simulator({"slow": [Reply(latency=5)]}) as simulator:
        async with make_router(simulator, {"r": ["a/slow", "b/ok"]}) as router:
            with anyio.move_on_after(0.2) as scope:
                await router.complete(model="r", messages=hello)
        await gone(simulator)
        assert scope.cancelled_caught
        assert len(simulator.requests) == 1

    [attempt] = router.ledger
    # the provider had the prompt, and nobody will say what it made of it
    assert (attempt.outcome, attempt.error, attempt.cost.basis) == ("cancelled", None, "estimated")
    assert router.ledger.total.unknown_cost_attempts == 0


async def test_an_answer_without_end_is_given_up_at_the_limit(hello: Conversation) -> None:
    sent = 0
    piece = b"x" * 65536

    async def endless(stream: anyio.abc.SocketStream) -> None:
        nonlocal sent
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
            try:
                while sent < 200 * 1024 * 1024:
                    await stream.send(piece)
                    sent += len(piece)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    provider = {"dialect": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "max_response_bytes": 1 << 20}
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, endless)
        async with Router({"providers": {"endless": provider}}) as router:
            with pytest.raises(MalformedResponseError, match="larger than 1048576 bytes"):
                await router.complete(model="endless/m", messages=hello)
        tasks.cancel_scope.cancel()

    assert sent < 20 * 1024 * 1024


async def test_many_calls_at_once_leave_nothing_behind(make_router: MakeRouter, hello: Conversation) -> None:
    scripts = {"x": [Reply(status=500, latency=0.01)], "y": [Reply(text="Fine", latency=0.01)]}
    texts: list[str] = []

    async def call(router: Router) -> None:
        texts.append((await router.complete(model="r", messages=hello)).text)

    async with Simulator(scripts) as simulator, make_router(simulator, {"r": ["a/x", "b/y"]}) as router:
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(call, router)

    assert texts == ["Fine"] * 30
    assert router.ledger.total.attempts == 90
    gc.collect()  # what was left open would warn here, and warnings are errors


async def test_an_attempt_timeout_is_a_timeout_for_the_caller_too(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator({"slow": [Reply(latency=5)]}) as simulator:
        async with make_router(simulator, {}, defaults={"timeouts": {"attempt": "50ms"}}) as router:
            with pytest.raises(AttemptTimeoutError, match=r"longer than 0\.05 s"):
                await router.complete(model="a/slow", messages=hello)
