"""Several keys of one provider, over real connections: which request bears which, and what callers see."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest
import structlog
from keyed_simulator import KeyedSimulator

from turnout import (
    AllTargetsFailedError,
    AuthenticationError,
    ManualClock,
    RateLimitError,
    Router,
    TurnoutError,
)
from turnout.testing import Reply

pytestmark = pytest.mark.anyio

Conversation = list[dict[str, Any]]
A, B, C = "sk-aaaaaaaaaaaa", "sk-bbbbbbbbbbbb", "sk-cccccccccccc"
LIMITED = Reply(status=429, headers={"retry-after": "7"})
BROKE = Reply(
    status=429, error={"message": "No money.", "type": "insufficient_quota", "code": "insufficient_quota"}
)
FORBIDDEN = Reply(status=403)


def routing(simulator: KeyedSimulator, *keys: Any, **more: Any) -> Router:
    """A router with one provider of several keys, and another with a key that always works."""
    options = {"clock": ManualClock(), "seed": 1, **more.pop("options", {})}
    many = {"dialect": "openai", "base_url": simulator.url, "api_keys": list(keys)}
    one = {"dialect": "openai", "base_url": simulator.url, "api_key": C}
    settings = {
        "providers": {"many": many, "one": one},
        "routes": {"r": ["many/x"], "both": ["many/x", "one/y"]},
        "defaults": {"retry": {"attempts": 1}},
        **more,
    }
    return Router(settings, env={}, **options)


async def ask(router: Router, model: str, hello: Conversation) -> list[str]:
    """How the attempts of one call ended."""
    try:
        response = await router.complete(model=model, messages=hello)
    except TurnoutError as error:
        return [f"{one.target} {one.error and one.error.kind}" for one in error.attempts]  # type: ignore[attr-defined]
    return [f"{one.target} {(one.error and one.error.kind) or 'ok'}" for one in response.trace.attempts]


async def test_keys_are_used_by_turns_and_weights(hello: Conversation) -> None:
    async with KeyedSimulator({A: (), B: ()}) as simulator:
        async with routing(simulator, {"key": A, "weight": 2}, B, {"key": "resting", "weight": 0}) as router:
            for _ in range(6):
                await router.complete(model="r", messages=hello)

    assert simulator.used == [A, B, A] * 2


async def test_a_refused_key_is_set_aside_and_the_next_one_used_at_once(hello: Conversation) -> None:
    async with KeyedSimulator({B: ()}) as simulator, routing(simulator, A, B) as router:
        response = await router.complete(model="r", messages=hello)
        for _ in range(3):
            await router.complete(model="r", messages=hello)

    assert simulator.used == [A, B, B, B, B]
    first, second = response.trace.attempts
    assert (first.outcome, first.error and first.error.kind) == ("failed", "authentication")
    assert (second.outcome, second.target) == ("ok", "many/x")


async def test_streams_take_the_next_key_too(hello: Conversation) -> None:
    async with KeyedSimulator({B: ()}) as simulator, routing(simulator, A, B) as router:
        async with router.stream(model="r", messages=hello) as stream:
            text = "".join([chunk.text or "" async for chunk in stream])

    assert (text, stream.provider, simulator.used) == ("Hello", "many", [A, B])


async def test_a_key_without_money_is_tried_again_later(hello: Conversation) -> None:
    async with KeyedSimulator({A: [BROKE, Reply()], B: ()}) as simulator:
        clock = ManualClock()
        async with routing(simulator, A, B, options={"clock": clock}) as router:
            assert await ask(router, "r", hello) == ["many/x quota", "many/x ok"]
            clock.advance(59)
            assert await ask(router, "r", hello) == ["many/x ok"]
            clock.advance(1)
            for _ in range(4):
                assert await ask(router, "r", hello) == ["many/x ok"]

    assert simulator.used[:3] == [A, B, B]
    assert sorted(simulator.used[3:]) == [A, A, B, B]


async def test_a_limited_key_waits_for_its_own_time(hello: Conversation) -> None:
    async with KeyedSimulator({A: [LIMITED, Reply()], B: ()}) as simulator:
        clock = ManualClock()
        async with routing(simulator, A, B, options={"clock": clock}) as router:
            assert await ask(router, "r", hello) == ["many/x rate_limit", "many/x ok"]
            clock.advance(6)
            await ask(router, "r", hello)
            clock.advance(1)
            await ask(router, "r", hello)
            await ask(router, "r", hello)

    assert clock.sleeps == []
    assert simulator.used[:3] == [A, B, B]
    assert sorted(simulator.used[3:]) == [A, B]


async def test_a_key_that_may_not_use_one_model_is_good_for_others(hello: Conversation) -> None:
    async with KeyedSimulator({A: [FORBIDDEN, Reply()], B: ()}) as simulator:
        async with routing(simulator, A, B) as router:
            assert await ask(router, "many/x", hello) == ["many/x permission", "many/x ok"]
            assert await ask(router, "many/x", hello) == ["many/x ok"]
            assert await ask(router, "many/z", hello) == ["many/z ok"]

    assert simulator.used == [A, B, B, A]


async def test_only_the_last_key_counts_as_a_failure_of_the_target(hello: Conversation) -> None:
    async with KeyedSimulator({A: [LIMITED], B: [LIMITED], C: ()}) as simulator:
        async with routing(simulator, A, B, options={"clock": ManualClock()}) as router:
            assert await ask(router, "both", hello) == ["many/x rate_limit", "many/x rate_limit", "one/y ok"]
            # nothing is sent to a provider whose keys are all left alone
            assert await ask(router, "both", hello) == ["many/x rate_limit", "one/y ok"]
            [rejected] = [attempt for attempt in router.ledger if attempt.outcome == "rejected"]

    assert simulator.used == [A, B, C, C]
    assert rejected.cost.amount == 0


async def test_the_target_may_be_tried_again_once_any_key_may_be(hello: Conversation) -> None:
    later = Reply(status=429, headers={"retry-after": "30"})
    async with KeyedSimulator({A: [later], B: [LIMITED]}) as simulator, routing(simulator, A, B) as router:
        with pytest.raises(RateLimitError) as caught:
            await router.complete(model="r", messages=hello)

    assert caught.value.retry_after == 7


async def test_a_limit_says_more_of_the_target_than_a_refusal(hello: Conversation) -> None:
    async with KeyedSimulator({A: [LIMITED]}) as simulator, routing(simulator, A, B) as router:
        with pytest.raises(RateLimitError):
            await router.complete(model="r", messages=hello)


async def test_a_retry_waits_for_the_first_key_that_may_be_used(hello: Conversation) -> None:
    clock = ManualClock()
    async with KeyedSimulator({A: [LIMITED, Reply()]}) as simulator:
        retry = {"defaults": {"retry": {"attempts": 2}}}
        async with routing(simulator, A, B, options={"clock": clock}, **retry) as router:
            assert await ask(router, "r", hello) == [
                "many/x rate_limit", "many/x authentication", "many/x ok",
            ]  # fmt: skip

    assert clock.sleeps == [7]
    assert simulator.used == [A, B, A]


async def test_the_last_hope_is_tried_although_all_keys_were_refused(hello: Conversation) -> None:
    async with KeyedSimulator({C: ()}) as simulator, routing(simulator, A, B) as router:
        with pytest.raises(AuthenticationError):
            await router.complete(model="r", messages=hello)
        simulator.give(A)
        response = await router.complete(model="r", messages=hello)
        # what was accepted is in use again
        await router.complete(model="r", messages=hello)

    assert [attempt.outcome for attempt in response.trace.attempts] == ["rejected", "ok"]
    assert simulator.used == [A, B, A, A]


async def test_all_keys_refused_and_the_last_hope_too(hello: Conversation) -> None:
    async with KeyedSimulator({}) as simulator, routing(simulator, A, B) as router:
        for _ in range(2):
            with pytest.raises((AuthenticationError, AllTargetsFailedError)):
                await router.complete(model="r", messages=hello)
        [rejected] = [attempt for attempt in router.ledger if attempt.outcome == "rejected"]

    assert simulator.used == [A, B, A]
    assert rejected.error is not None
    assert "(key 1: authentication, key 2: authentication); nothing was sent" in rejected.error.message


async def test_keys_leave_an_attempt_for_each_target_to_come(hello: Conversation) -> None:
    async with KeyedSimulator({C: ()}) as simulator:
        async with routing(simulator, A, B, defaults={"max_attempts": 2}) as router:
            assert await ask(router, "both", hello) == ["many/x authentication", "one/y ok"]

    assert simulator.used == [A, C]


async def test_failures_that_are_not_the_keys_use_no_other_key(hello: Conversation) -> None:
    async with KeyedSimulator({A: [Reply(status=500)], B: (), C: ()}) as simulator:
        async with routing(simulator, A, B) as router:
            assert await ask(router, "both", hello) == ["many/x server", "one/y ok"]
            assert await ask(router, "r", hello) == ["many/x ok"]

    assert simulator.used == [A, C, B]


async def test_of_many_calls_at_once_one_tries_the_refused_key_again(hello: Conversation) -> None:
    clock = ManualClock()
    slow = Reply(status=401, latency=0.05)
    async with KeyedSimulator({A: [slow], B: ()}) as simulator:
        async with routing(simulator, A, B, options={"clock": clock}) as router:
            await ask(router, "r", hello)
            clock.advance(60)
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(ask, router, "r", hello)

    assert simulator.used.count(A) == 2


async def test_a_call_that_is_cancelled_hands_the_trial_on(hello: Conversation) -> None:
    clock = ManualClock()
    async with KeyedSimulator({B: ()}) as simulator:
        async with routing(simulator, A, B, options={"clock": clock}) as router:
            await ask(router, "r", hello)
            clock.advance(60)
            simulator.give(A, Reply(latency=5), Reply())
            simulator.give(B, Reply(latency=5))
            with anyio.move_on_after(0.1):
                async with anyio.create_task_group() as group:
                    for _ in range(2):
                        group.start_soon(ask, router, "r", hello)
            simulator.give(B)
            await ask(router, "r", hello)
            await ask(router, "r", hello)

    assert sorted(simulator.used[-2:]) == [A, B]


async def test_the_list_of_models_is_asked_for_with_a_key_that_works() -> None:
    async with KeyedSimulator({B: ()}) as simulator, routing(simulator, A, B) as router:
        await router.models("many")
        with pytest.raises(AuthenticationError):
            await router.models("one")

    assert simulator.used == [A, B, C]


async def test_other_wires_bear_their_keys_too(hello: Conversation) -> None:
    async with KeyedSimulator({B: ()}) as simulator:
        provider = {"dialect": "anthropic", "base_url": simulator.root, "api_keys": [A, B]}
        async with Router({"providers": {"p": provider}, "routes": {"r": ["p/claude-x"]}}, env={}) as router:
            response = await router.complete(model="r", messages=hello)

    assert (response.text, simulator.used) == ("Hello", [A, B])


async def test_what_is_made_for_a_key_is_made_once(hello: Conversation) -> None:
    async with KeyedSimulator({A: (), B: ()}) as simulator, routing(simulator, A, B) as router:
        await router.complete(model="r", messages=hello)
        planned = router._snapshot.planner.plan("r").targets[0]
        targets = [one.target for one in planned.with_each_key()]
        await router.complete(model="r", messages=hello)

    again = router._snapshot.planner.plan("r").targets[0].with_each_key()
    assert all(one.target is target for one, target in zip(again, targets, strict=True))


@pytest.mark.parametrize("keys", [[A], [A, ""], [A, {"key": B, "weight": 0}]])
def test_a_single_key_has_no_layer(keys: list[Any]) -> None:
    provider = {"dialect": "openai", "base_url": "https://llm.example/v1", "api_keys": keys}
    router = Router({"providers": {"p": provider}, "routes": {"r": ["p/x"]}}, env={})
    plan = router._snapshot.planner.plan("r")
    assert plan.targets[0].standing is None
    assert plan.targets[0].target.api_key is not None
    assert plan.targets[0].target.api_key.get_secret_value() == A


async def test_no_key_is_ever_seen(
    hello: Conversation, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[Any] = []
    echoing = Reply(status=401, error=f"Incorrect API key provided: {A}. Not {B} either.")
    async with KeyedSimulator({A: [echoing], B: [LIMITED]}) as simulator:
        with structlog.testing.capture_logs() as heard:
            options = {"logger": structlog.get_logger()}
            async with routing(simulator, A, B, options=options) as router:
                for _ in range(2):
                    with pytest.raises(TurnoutError) as caught:
                        await router.complete(model="r", messages=hello)
                    told += [caught.value, vars(caught.value), *caught.value.args]
                planned = router._snapshot.planner.plan("r").targets[0]
                keys = planned.standing and planned.standing.keys
                told += [router.settings, planned, planned.with_each_key(), planned.target.keys, keys]
                told += [*(keys.keys if keys else ()), router._snapshot.board._parts]
                told += [attempt.model_dump_json() for attempt in router.ledger]
                told += [router.explain(model="r", messages=hello)]
    said = repr(told) + "".join(map(str, told)) + repr(heard) + caplog.text + "".join(capsys.readouterr())

    assert A not in said
    assert B not in said
    refusals = [event for event in heard if event["event"] == "key.refused"]
    assert [(event["key"], event["kind"]) for event in refusals[:2]] == [
        (1, "authentication"),
        (2, "rate_limit"),
    ]
