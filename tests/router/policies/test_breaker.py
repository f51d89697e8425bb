"""What the layer tells a breaker and a gate of each attempt, and which attempts they let pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
import structlog
from pydantic import SecretStr

from turnout import (
    AttemptTimeoutError,
    ChatCompletion,
    ConnectionFailedError,
    ContextWindowError,
    ManualClock,
    Message,
    ProviderError,
    RateLimitError,
    Router,
    StreamInterruptedError,
    UnsupportedError,
)
from turnout.accounting import Ledger
from turnout.config.loading import parse_settings
from turnout.config.policies import Breaker, RetryBudget
from turnout.config.settings import Settings
from turnout.events import Events
from turnout.pipeline import DEADLINE, Call
from turnout.policies.account import Books
from turnout.policies.breaker import breaker
from turnout.providers.catalogue import catalogue
from turnout.rejecting import TargetRejectedError
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]
ONCE = {"attempts": 1}
ON = ["timeout", "interrupted"]


def standing_of(router: Router, target: str) -> Any:
    """What the router knows of a target."""
    return router._snapshot.planner.plan(target).targets[0].standing


def asked(simulator: Simulator) -> list[str | None]:
    """The models that requests came for, in order."""
    return [request.model for request in simulator.requests]


async def outcomes(router: Router, model: str, hello: Conversation) -> list[str]:
    """How the attempts of one call ended, as `target outcome`."""
    response = await router.complete(model=model, messages=hello)
    return [f"{attempt.target} {attempt.outcome}" for attempt in response.trace.attempts]


async def test_a_target_that_keeps_failing_is_left_alone_and_comes_back(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    failing = [Reply(status=500)] * 3 + [Reply()]
    routes = {"r": {"chain": ["a/x", "b/y"], "retry": ONCE}}
    async with Simulator({"x": failing}) as simulator:
        options = {"clock": clock}
        defaults = {"breaker": {"failures": 2, "pause": "10s", "ramp": 0}}
        async with make_router(simulator, routes, defaults=defaults, options=options) as router:
            for _ in range(2):
                assert await outcomes(router, "r", hello) == ["a/x failed", "b/y ok"]
            assert await outcomes(router, "r", hello) == ["a/x rejected", "b/y ok"]
            assert standing_of(router, "a/x").waits(clock.monotonic()) == 10

            clock.advance(10)
            assert await outcomes(router, "r", hello) == ["a/x failed", "b/y ok"]
            clock.advance(19)
            assert await outcomes(router, "r", hello) == ["a/x rejected", "b/y ok"]
            clock.advance(1)
            assert await outcomes(router, "r", hello) == ["a/x ok"]
            assert await outcomes(router, "r", hello) == ["a/x ok"]

    assert asked(simulator) == ["x", "y", "x", "y", "y", "x", "y", "y", "x", "x"]


async def test_a_rejected_attempt_says_for_how_long_and_costs_nothing(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {"r": {"chain": ["a/x", "b/y"], "retry": ONCE, "fallback_on": ["server"]}}
    options = {"clock": ManualClock()}
    async with Simulator({"x": [Reply(status=500)]}) as simulator:
        defaults = {"breaker": {"failures": 1}}
        async with make_router(simulator, routes, defaults=defaults, options=options) as router:
            await router.complete(model="r", messages=hello)
            response = await router.complete(model="r", messages=hello)

    rejected = response.trace.attempts[0]
    assert rejected.error is not None
    assert (rejected.outcome, rejected.error.kind, rejected.cost.amount) == ("rejected", "overloaded", 0)
    assert "left alone for another 10 s" in rejected.error.message


async def test_the_last_hope_is_tried_all_the_same(make_router: MakeRouter, hello: Conversation) -> None:
    options = {"clock": ManualClock()}
    async with Simulator({"x": [Reply(status=500), Reply()]}) as simulator:
        settings = {"breaker": {"failures": 1, "ramp": 0}, "retry": ONCE}
        async with make_router(simulator, {}, defaults=settings, options=options) as router:
            with pytest.raises(Exception, match="status=500"):
                await router.complete(model="a/x", messages=hello)
            assert await outcomes(router, "a/x", hello) == ["a/x rejected", "a/x ok"]
            assert await outcomes(router, "a/x", hello) == ["a/x ok"], "its success closed the breaker"


async def test_after_a_recovery_traffic_grows_back(make_router: MakeRouter, hello: Conversation) -> None:
    clock = ManualClock()
    routes = {"r": {"chain": ["a/x", "b/y"], "retry": ONCE}}
    async with Simulator({"x": [Reply(status=500), Reply()]}) as simulator:
        settings = {"breaker": {"failures": 1, "pause": "10s", "ramp": "30s"}}
        async with make_router(simulator, routes, defaults=settings, options={"clock": clock}) as router:
            await router.complete(model="r", messages=hello)
            clock.advance(10)
            await router.complete(model="r", messages=hello)
            shares = []
            for _ in range(3):
                told = [(await outcomes(router, "r", hello))[0] for _ in range(30)]
                assert set(told) <= {"a/x ok", "a/x rejected"}
                shares.append(told.count("a/x ok"))
                clock.advance(15)

    assert 0 < shares[0] < 9 < shares[1] < 25 < shares[2] == 30


async def test_a_rate_limit_closes_the_gate_until_the_server_is_ready_again(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    limited = Reply(status=429, headers={"Retry-After": "30"})
    routes = {"r": ["a/x", "b/y"]}
    async with Simulator({"x": [limited, Reply()]}) as simulator:
        settings = {"breaker": {"failures": 1}}
        async with make_router(simulator, routes, defaults=settings, options={"clock": clock}) as router:
            assert await outcomes(router, "r", hello) == ["a/x failed", "b/y ok"]
            assert standing_of(router, "a/x").breaker.state(clock.monotonic()) == "closed"
            clock.advance(29)
            assert await outcomes(router, "r", hello) == ["a/x rejected", "b/y ok"]
            clock.advance(1)
            assert await outcomes(router, "r", hello) == ["a/x ok"]

    assert clock.sleeps == [], "nobody waited"


async def test_a_retry_waits_for_a_gate_that_named_no_time(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    async with Simulator({"x": [Reply(status=429), Reply(status=429), Reply()]}) as simulator:
        settings = {"breaker": True, "retry": {"attempts": 3, "rate_limit_base": "1ms"}}
        async with make_router(simulator, {}, defaults=settings, options={"clock": clock}) as router:
            assert await outcomes(router, "a/x", hello) == ["a/x failed", "a/x failed", "a/x ok"]
            assert standing_of(router, "a/x").gate.strikes == 0

    assert clock.sleeps == pytest.approx([0.25, 0.5], abs=0.01)


async def test_the_last_hope_waits_for_a_gate_that_opens_before_the_deadline(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    script = [Reply(status=429, headers={"Retry-After": wait}) for wait in ("40", "500")]
    async with Simulator({"x": [*script, Reply()]}) as simulator:
        settings = {"breaker": True, "retry": ONCE}
        async with make_router(simulator, {}, defaults=settings, options={"clock": clock}) as router:
            with pytest.raises(RateLimitError):
                await router.complete(model="a/x", messages=hello)
            with pytest.raises(RateLimitError):
                await router.complete(model="a/x", messages=hello)
            assert clock.sleeps == [40]
            assert await outcomes(router, "a/x", hello) == ["a/x rejected", "a/x ok"]

    assert clock.sleeps == [40], (
        "the gate would open long after the deadline, so there is nothing to wait for"
    )


async def test_a_server_without_capacity_that_names_a_wait_closes_the_gate_too(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    busy = Reply(status=503, headers={"Retry-After": "25"})
    async with Simulator({"x": [busy, Reply()]}) as simulator:
        defaults = {"breaker": True}
        options = {"clock": clock}
        async with make_router(
            simulator, {"r": ["a/x", "b/y"]}, defaults=defaults, options=options
        ) as router:
            assert await outcomes(router, "r", hello) == ["a/x failed", "b/y ok"]
            assert standing_of(router, "a/x").gate.opens_at == 25
            assert standing_of(router, "a/x").gate.kind == "overloaded"


async def test_a_target_without_a_breaker_has_a_gate_all_the_same(hello: Conversation) -> None:
    clock = ManualClock()
    script = [Reply(), Reply(cut_after_events=2), Reply(status=429), Reply()]
    async with Simulator({"x": [*script, Reply(latency=30)]}) as simulator:
        provider = {"dialect": "openai", "base_url": simulator.url}
        settings = {
            "providers": {"a": {**provider, "breaker": False}, "b": provider},
            "routes": {"r": {"chain": ["a/x", "b/y"], "retry": ONCE}},
            "defaults": {"breaker": True},
        }
        async with Router(settings, env={}, clock=clock) as router:
            standing = standing_of(router, "r")
            assert standing.breaker is None
            async with router.stream(model="r", messages=hello) as stream:
                assert [chunk.text async for chunk in stream]
            with pytest.raises(StreamInterruptedError):
                async with router.stream(model="r", messages=hello) as stream:
                    assert [chunk.text async for chunk in stream]
            assert await outcomes(router, "r", hello) == ["a/x failed", "b/y ok"]
            assert await outcomes(router, "r", hello) == ["a/x rejected", "b/y ok"]
            clock.advance(0.25)
            assert await outcomes(router, "r", hello) == ["a/x ok"]
            assert standing.gate.strikes == 0
            with anyio.move_on_after(0.05) as scope:
                await router.complete(model="r", messages=hello)
            assert scope.cancelled_caught


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429])
async def test_a_server_that_says_no_is_there(
    make_router: MakeRouter, hello: Conversation, status: int
) -> None:
    script = [Reply(status=500), Reply(status=status), Reply(status=500), Reply()]
    routes = {"r": {"chain": ["a/x"], "retry": ONCE}}
    clock = ManualClock()
    async with Simulator({"x": script}) as simulator:
        defaults = {"breaker": {"failures": 2}}
        async with make_router(simulator, routes, defaults=defaults, options={"clock": clock}) as router:
            for _ in range(3):
                with pytest.raises(Exception, match="status="):
                    await router.complete(model="r", messages=hello)
                clock.advance(5)
            assert await outcomes(router, "r", hello) == ["a/x ok"]


async def test_a_stream_that_breaks_off_counts_against_its_target(
    make_router: MakeRouter, hello: Conversation
) -> None:
    cut = Reply(text="One two three four", cut_after_events=3)
    async with Simulator({"x": [cut]}) as simulator:
        async with make_router(simulator, {}, defaults={"breaker": {"failures": 1}}) as router:
            with pytest.raises(Exception, match="broke off"):
                async with router.stream(model="a/x", messages=hello) as stream:
                    async for _ in stream:
                        pass
            assert standing_of(router, "a/x").breaker.openings == 1


async def test_a_probe_whose_stream_has_begun_lets_others_pass(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    slow = Reply(text="One two three", stall_after_events=3)
    async with Simulator({"x": [Reply(status=500), slow, Reply()]}) as simulator:
        settings = {"breaker": {"failures": 1, "ramp": 0}, "retry": ONCE}
        async with make_router(simulator, {}, defaults=settings, options={"clock": clock}) as router:
            with pytest.raises(Exception, match="status=500"):
                await router.complete(model="a/x", messages=hello)
            breaker = standing_of(router, "a/x").breaker
            clock.advance(10)
            async with router.stream(model="a/x", messages=hello) as stream:
                await anext(stream)
                assert breaker.state(clock.monotonic()) == "closed"
                assert await outcomes(router, "a/x", hello) == ["a/x ok"]
            assert breaker.state(clock.monotonic()) == "closed", "it was left, and that says nothing"


async def test_one_of_many_calls_finds_out_whether_it_is_there_again(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    script = {"x": [Reply(status=500), Reply(latency=0.1)]}
    routes = {"r": {"chain": ["a/x", "b/y"], "retry": ONCE}}
    seen: list[str] = []
    async with Simulator(script) as simulator:
        settings = {"breaker": {"failures": 1, "ramp": 0}}
        async with make_router(simulator, routes, defaults=settings, options={"clock": clock}) as router:
            await router.complete(model="r", messages=hello)
            clock.advance(10)

            async def call() -> None:
                seen.append((await outcomes(router, "r", hello))[-1])

            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(call)

    assert sorted(seen) == ["a/x ok", *["b/y ok"] * 19]


async def test_a_probe_that_is_cancelled_leaves_its_place(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    script = [Reply(status=500), Reply(latency=30), Reply()]
    async with Simulator({"x": script}) as simulator:
        settings = {"breaker": {"failures": 1, "ramp": 0}, "retry": ONCE}
        async with make_router(simulator, {}, defaults=settings, options={"clock": clock}) as router:
            with pytest.raises(Exception, match="status=500"):
                await router.complete(model="a/x", messages=hello)
            clock.advance(10)
            with anyio.move_on_after(0.1):
                await router.complete(model="a/x", messages=hello)
            assert standing_of(router, "a/x").breaker.state(clock.monotonic()) == "half-open"
            assert await outcomes(router, "a/x", hello) == ["a/x ok"]


async def test_silence_counts_only_where_the_settings_say_so(hello: Conversation) -> None:
    provider = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
    for on, openings in ((["connection"], 1), (["server"], 0)):
        settings = {
            "providers": {"a": {**provider, "breaker": {"failures": 1, "on": on}}},
            "defaults": {"retry": ONCE},
        }
        async with Router(settings) as router:
            with pytest.raises(ConnectionFailedError):
                await router.complete(model="a/x", messages=hello)
            assert standing_of(router, "a/x").breaker.openings == openings


async def test_a_request_that_nobody_sent_says_nothing() -> None:
    provider = {
        "dialect": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "models": {"*": {"context_window": 1000}},
        "quirks": {"unsupported": ["stop"]},
        "breaker": {"failures": 1, "on": ["context_window", "unsupported"]},
    }
    long = [{"role": "user", "content": "word " * 9000}]
    async with Router({"providers": {"a": provider}}, env={}) as router:
        with pytest.raises(ContextWindowError, match="nothing was sent"):
            await router.complete(model="a/x", messages=long)
        with pytest.raises(UnsupportedError):
            await router.complete(model="a/x", messages=[{"role": "user", "content": "Hi"}], stop="x")
        assert standing_of(router, "a/x").breaker.openings == 0


async def test_what_was_turned_away_further_below_says_nothing() -> None:
    async def inner(call: Call) -> Any:
        call.journal.sent += 1  # one of several keys was tried, and refused
        raise TargetRejectedError("no key is left.", kind="overloaded", retry_after=60)

    provider = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "breaker": {"failures": 1}}
    router = Router({"providers": {"a": provider}}, env={})
    plan = router._snapshot.planner.plan("a/x")
    call = Call(
        ChatCompletion(model="a/x", messages=[Message.user("Hi")]), True, plan, plan.targets[0], "c", 9.0, 9.0
    )
    with pytest.raises(TargetRejectedError):
        await breaker(Books(Ledger(), ManualClock(), Events()), Random(1))(inner)(call)
    assert standing_of(router, "a/x").breaker.openings == 0
    assert standing_of(router, "a/x").gate.opens_at == 0


@pytest.mark.parametrize(
    ("waited", "end", "openings"), [(2.0, None, 0), (30.0, None, 1), (30.0, "failed", 0)]
)
async def test_the_calls_deadline_is_held_against_a_target_that_had_time_to_begin(
    waited: float, end: str | None, openings: int
) -> None:
    clock = ManualClock()
    late = StreamInterruptedError if end else AttemptTimeoutError

    async def inner(call: Call) -> Any:
        call.journal.sent += 1
        if end is None:
            clock.advance(waited)
            raise late("late", code=DEADLINE)
        return answer

    answer = BegunAnswer()
    provider = {
        "dialect": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "breaker": {"failures": 1, "on": ON},
    }
    router = Router({"providers": {"a": provider}}, env={}, clock=clock)
    plan = router._snapshot.planner.plan("a/x")
    request = ChatCompletion(model="a/x", messages=[Message.user("Hi")])
    call = Call(request, True, plan, plan.targets[0], "c", 100.0, 100.0)
    handler = breaker(Books(Ledger(), clock, Events()), Random(1))(inner)
    if end is None:
        with pytest.raises(AttemptTimeoutError):
            await handler(call)
    else:
        await handler(call)
        clock.advance(waited)
        answer.fail(late("late", code=DEADLINE))

    assert standing_of(router, "a/x").breaker.openings == openings


class BegunAnswer:
    """A stream that goes on."""

    end: str | None = None
    error: ProviderError | None = None

    def when_ended(self, listener: Callable[[Any], None]) -> None:
        self.listener = listener

    def fail(self, error: ProviderError) -> None:
        self.end, self.error = "failed", error
        self.listener(self)


async def test_the_breakers_opening_and_closing_are_told(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    async with Simulator({"x": [Reply(status=500), Reply()]}) as simulator:
        settings = {"breaker": {"failures": 1}, "retry": ONCE}
        with structlog.testing.capture_logs() as events:
            options = {"clock": clock, "logger": structlog.get_logger()}
            async with make_router(simulator, {}, defaults=settings, options=options) as router:
                with pytest.raises(Exception, match="status=500"):
                    await router.complete(model="a/x", messages=hello)
                clock.advance(10)
                await router.complete(model="a/x", messages=hello)
        structlog.reset_defaults()

    told = {event["event"]: event for event in events}
    opened, closed = told["breaker.opened"], told["breaker.closed"]
    assert (opened["target"], opened["kind"], opened["wait"]) == ("a/x", "server", 10)
    assert (closed["target"], closed["log_level"]) == ("a/x", "info")


def page_settings() -> Settings:
    """What docs/breakers.md shows."""
    page = (Path(__file__).parents[3] / "docs/breakers.md").read_text("utf-8")
    return parse_settings(
        page.split("```yaml\n")[1].split("```")[0], env={"QWEN_KEY": "k"}, presets=catalogue()
    )


def test_the_page_shows_the_defaults_and_they_load() -> None:
    shown = page_settings()
    assert shown.defaults.breaker == Breaker()
    assert shown.defaults.retry_budget == RetryBudget()
    assert not (shown.providers["local"].breaker or Breaker()).enabled


async def test_what_the_page_shows_does_what_it_says(hello: Conversation) -> None:
    clock = ManualClock()
    async with Simulator({"gpt-5-mini": [Reply(status=500)]}) as simulator:
        shown = page_settings()
        own = {"base_url": simulator.url, "dialect": "openai", "api_key": SecretStr("k")}
        moved = {name: said.model_copy(update=own) for name, said in shown.providers.items()}
        settings = shown.model_copy(update={"providers": moved})
        async with Router(settings, env={}, clock=clock, seed=1) as router:
            for _ in range(4):
                await router.complete(model="assistant", messages=hello)
            breaker = standing_of(router, "assistant").breaker
            assert breaker.openings == 1
            assert asked(simulator).count("gpt-5-mini") == 5, "two attempts a call, until five failed"
            assert await outcomes(router, "assistant", hello) == [
                "openai/gpt-5-mini rejected", "qwen/qwen-plus ok",
            ]  # fmt: skip
