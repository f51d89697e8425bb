"""Functions under `reject`: how they are found and asked, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest
import tastes

from turnout import (
    AllTargetsFailedError,
    ChatResponse,
    ConfigError,
    DeadlineExceededError,
    FunctionError,
    RejectedResponseError,
    Router,
    Settings,
)
from turnout.testing import Reply, Simulator
from turnout.testing.drill import drill

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]

WORN = Reply(text="certainly! As an AI I can.", drip=65_536)
GOOD = Reply(text="Oslo lies by the sea.", drip=65_536)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("function", "bad"),
    [
        ("tastes:has_worn_words", WORN),
        ("tastes:is_too_short", Reply(text="Oslo.", drip=65_536)),
        ("tastes:needs_two_words", Reply(text="Oslo.", drip=65_536)),
    ],
)
async def test_a_function_sends_the_call_on(
    make_router: MakeRouter, hello: Conversation, function: str, bad: Reply, streaming: bool
) -> None:
    route = {"chain": ["a/bad", "b/good"], "reject": [function], "fallback_on": [], "retry": {"attempts": 3}}
    async with Simulator({"bad": [bad], "good": [GOOD]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            if streaming:
                async with router.stream(model="r", messages=hello) as stream:
                    assert "".join([chunk.text async for chunk in stream]) == GOOD.text
                reply = stream.response
            else:
                reply = await router.complete(model="r", messages=hello)

    rejected, answered = reply.trace.attempts
    assert rejected.error is not None
    assert (rejected.error.kind, rejected.error.code) == ("rejected", function)
    assert (answered.target, reply.text) == ("b/good", GOOD.text)


async def test_all_functions_are_asked_until_one_rejects(
    make_router: MakeRouter, hello: Conversation
) -> None:
    route = {"chain": ["a/m"], "reject": ["tastes:has_worn_words", "tastes:is_too_short"]}
    async with Simulator({"m": [Reply(text="Oslo.")]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            with pytest.raises(RejectedResponseError) as caught:
                await router.complete(model="r", messages=hello)

    error = caught.value
    assert "a/m: tastes:is_too_short rejects the answer: only 5 characters from a " in str(error)
    assert error.response is not None
    assert (error.response.text, error.code) == ("Oslo.", "tastes:is_too_short")
    assert error.response.cost == error.attempts[0].cost


async def test_rejected_answers_are_tried_again_where_the_route_says_so(
    make_router: MakeRouter, hello: Conversation
) -> None:
    route = {"chain": ["a/m"], "reject": ["tastes:has_worn_words"], "retry": {"on": ["rejected"], "base": 0}}
    async with Simulator({"m": [WORN, GOOD]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            reply = await router.complete(model="r", messages=hello)

    assert [attempt.target for attempt in reply.trace.attempts] == ["a/m", "a/m"]


async def test_what_other_kinds_find_is_not_shown_to_functions(
    make_router: MakeRouter, hello: Conversation
) -> None:
    route = {"chain": ["a/m"], "reject": ["tastes:breaks"]}
    async with Simulator({"m": [Reply(text="")]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            with pytest.raises(Exception, match="no text, reasoning, tool call or refusal"):
                await router.complete(model="r", messages=hello)


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_function_that_fails_is_told_and_the_answer_kept(
    make_router: MakeRouter, hello: Conversation, streaming: bool
) -> None:
    route = {"chain": ["a/m", "b/m"], "reject": ["tastes:breaks"]}
    async with Simulator({"m": [GOOD]}) as simulator, make_router(simulator, {"r": route}) as router:
        with pytest.raises(FunctionError, match="reject: tastes:breaks failed with IndexError") as caught:
            if streaming:
                async with router.stream(model="r", messages=hello):
                    pass
            else:
                await router.complete(model="r", messages=hello)

    error = caught.value
    assert isinstance(error, ConfigError)  # whoever made the settings has to mend it
    assert isinstance(error.__cause__, IndexError)
    assert error.response is not None
    assert (error.response.text, error.response.provider) == (GOOD.text, "a")
    [attempt] = error.attempts
    assert attempt.outcome == "ok"  # the provider did its part and is paid
    assert attempt.cost.basis == "priced"
    assert router.ledger.attempts() == [attempt]


async def test_a_function_has_until_the_deadline(
    make_router: MakeRouter, hello: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ponders(response: ChatResponse) -> bool:
        await anyio.sleep(5)
        return not response.text

    monkeypatch.setattr(tastes, "has_worn_words", ponders)
    route = {"chain": ["a/m", "b/m"], "reject": ["tastes:has_worn_words"]}
    async with Simulator({"m": [GOOD]}) as simulator, make_router(simulator, {"r": route}) as router:
        with pytest.raises(DeadlineExceededError) as caught:
            await router.complete(model="r", messages=hello, deadline=0.2)

    [attempt] = caught.value.attempts
    assert (attempt.outcome, attempt.cost.basis) == ("failed", "priced")
    assert caught.value.response is not None
    assert caught.value.response.text == GOOD.text


async def test_a_call_that_is_cancelled_while_a_function_ponders_is_settled(
    make_router: MakeRouter, hello: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = anyio.Event()

    async def ponders(response: ChatResponse) -> bool:
        asked.set()
        await anyio.sleep_forever()
        return bool(response.text)

    monkeypatch.setattr(tastes, "has_worn_words", ponders)
    route = {"chain": ["a/m"], "reject": ["tastes:has_worn_words"]}
    async with Simulator({"m": [GOOD]}) as simulator, make_router(simulator, {"r": route}) as router:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                await router.complete(model="r", messages=hello)

            group.start_soon(call)
            await asked.wait()
            group.cancel_scope.cancel()

        [attempt] = router.ledger.attempts()
        assert (attempt.outcome, attempt.cost.basis) == ("cancelled", "priced")
        assert (await router.complete(model="a/m", messages=hello)).text == GOOD.text


async def test_the_route_that_is_called_says_what_is_rejected(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {
        "inner": {"chain": ["a/m", "b/m"], "reject": ["tastes:has_worn_words"]},
        "outer": {"chain": [{"route": "inner"}]},
    }
    async with Simulator({"m": [WORN]}) as simulator, make_router(simulator, routes) as router:
        assert (await router.complete(model="outer", messages=hello)).provider == "a"
        with pytest.raises(AllTargetsFailedError) as caught:
            await router.complete(model="inner", messages=hello)

    assert {attempt.error.kind for attempt in caught.value.attempts if attempt.error} == {"rejected"}


async def test_a_drill_does_without_functions_for_its_answers_are_made_up() -> None:
    provider = {"dialect": "openai", "base_url": "https://llm.example/v1", "api_key": "k"}
    route = {"chain": ["a/m"], "reject": ["tastes:breaks"]}
    settings = Settings.model_validate({"providers": {"a": provider}, "routes": {"r": route}})
    [outcome] = (await drill(settings, [], calls=1)).outcomes
    assert (outcome.error, outcome.target) == (None, "a/m")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "no_such_house:taste",
            "No module named 'no_such_house'; is the folder of no_such_house on the path",
        ),
        ("tastes:no_such_taste", "the module tastes has no no_such_taste"),
        ("tastes:WORDS", "tastes:WORDS is no function"),
    ],
)
async def test_a_function_that_is_not_there_is_told_when_the_router_is_made(path: str, said: str) -> None:
    settings = {
        "providers": {"a": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}},
        "routes": {
            "r": {"chain": ["a/m"], "reject": [path]},
            "s": {"chain": ["a/n"], "reject": ["tastes:x"]},
        },
    }
    with pytest.raises(ConfigError) as caught:
        Router(settings, env={})

    first, second = caught.value.problems
    assert str(first).startswith(f"route 'r': reject: {path}")
    assert said in str(first)
    assert str(second) == "route 's': reject: tastes:x: the module tastes has no x"
