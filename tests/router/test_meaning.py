"""Answers that came whole and are still not what was asked for: every kind, named in every place."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from turnout import (
    AllTargetsFailedError,
    ChatCompletion,
    ChatResponse,
    ContentPolicyError,
    EmptyResponseError,
    InvalidJSONError,
    Message,
    ProviderError,
    RefusalError,
    RejectedResponseError,
    Router,
    TruncatedResponseError,
)
from turnout.meaning import judge
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]

AT_ONCE = 65_536  # bytes a write, so that a streamed answer comes in one piece
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
IN_SCHEMA = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY}}
AS_OBJECT = {"type": "json_object"}
GOOD = Reply(text='{"city": "Oslo"}', drip=AT_ONCE)


class Bad(NamedTuple):
    """An answer that is no good."""

    kind: str
    error: type[ProviderError]
    said: dict[str, Any]
    """What the simulated model says."""
    asks: dict[str, Any] = {}
    """What the request asks for besides."""

    @property
    def reply(self) -> Reply:
        return Reply(**self.said, drip=AT_ONCE)


def filtered(text: str) -> Bad:
    return Bad("content_policy", ContentPolicyError, {"text": text, "finish_reason": "content_filter"})


def truncated(text: str) -> Bad:
    return Bad("truncated", TruncatedResponseError, {"text": text, "finish_reason": "length"})


def no_json(text: str, asks: dict[str, Any]) -> Bad:
    return Bad("invalid_json", InvalidJSONError, {"text": text}, {"response_format": asks})


BAD = {
    "empty": Bad("empty", EmptyResponseError, {"text": ""}),
    "refusal": Bad("refusal", RefusalError, {"text": None, "refusal": "I will not."}),
    "filtered": filtered(""),
    "filtered-late": filtered("Half"),
    "truncated": truncated("Half"),
    "no-room": truncated(""),
    "no-json": no_json("Oslo.", AS_OBJECT),
    "fenced": no_json("```json\n{}\n```", AS_OBJECT),
    "no-object": no_json("[1]", AS_OBJECT),
    "nan": no_json('{"a": NaN}', AS_OBJECT),
    "mismatch": no_json('{"city": 7}', IN_SCHEMA),
}
SCRIPTS = {**{name: [bad.reply] for name, bad in BAD.items()}, "good": [GOOD]}
MODES = ("whole", "folded", "streamed")


async def asked(router: Router, mode: str, **fields: Any) -> ChatResponse:
    """The answer, taken whole, as a stream that is put together, or piece by piece."""
    if mode != "streamed":
        return await router.complete(stream=mode == "folded" or None, **fields)
    async with router.stream(**fields) as stream:
        told = "".join([chunk.text async for chunk in stream])
    assert told == stream.response.text
    return stream.response


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """How the answer is asked for."""
    return str(request.param)


async def test_the_next_target_answers(make_router: MakeRouter, hello: Conversation, mode: str) -> None:
    routes = {
        name: {"chain": [f"a/{name}", "b/good"], "fallback_on": [bad.kind]} for name, bad in BAD.items()
    }
    async with Simulator(SCRIPTS) as simulator, make_router(simulator, routes) as router:
        for name, bad in BAD.items():
            reply = await asked(router, mode, model=name, messages=hello, **bad.asks)

            failed, answered = reply.trace.attempts
            assert failed.error is not None
            assert (name, failed.outcome, failed.error.kind) == (name, "failed", bad.kind)
            assert (reply.provider, answered.outcome, reply.text) == ("b", "ok", GOOD.text)


async def test_the_same_target_is_asked_again(
    make_router: MakeRouter, hello: Conversation, mode: str
) -> None:
    routes = {
        name: {"chain": [f"a/{name}"], "fallback_on": [], "retry": {"on": [bad.kind], "base": 0}}
        for name, bad in BAD.items()
    }
    moody = {name: [bad.reply, GOOD] for name, bad in BAD.items()}
    async with Simulator(moody) as simulator, make_router(simulator, routes) as router:
        for name, bad in BAD.items():
            reply = await asked(router, mode, model=name, messages=hello, **bad.asks)

            assert [attempt.outcome for attempt in reply.trace.attempts] == ["failed", "ok"], name
            assert reply.text == GOOD.text


@pytest.mark.parametrize("name", ["filtered", "filtered-late"])
async def test_a_branch_takes_over(
    make_router: MakeRouter, hello: Conversation, name: str, mode: str
) -> None:
    route = {"chain": [f"a/{name}", "a/sibling"], "fallback_on": [], "content_policy": ["b/good"]}
    async with Simulator(SCRIPTS) as simulator, make_router(simulator, {"r": route}) as router:
        reply = await asked(router, mode, model="r", messages=hello)

    assert [attempt.target for attempt in reply.trace.attempts] == [f"a/{name}", "b/good"]


async def test_an_answer_is_taken_as_it_is_where_nobody_names_its_kind(
    make_router: MakeRouter, hello: Conversation, mode: str
) -> None:
    every = ["empty", "refusal", "content_policy", "truncated", "invalid_json"]
    routes = {
        name: {
            "chain": [f"a/{name}", "b/good"],
            "fallback_on": [kind for kind in every if kind != bad.kind],
            "retry": {"attempts": 1, "on": [bad.kind]},  # one attempt, so there is no retry to be had
        }
        for name, bad in BAD.items()
    }
    async with Simulator(SCRIPTS) as simulator, make_router(simulator, routes) as router:
        for name, bad in BAD.items():
            reply = await asked(router, mode, model=name, messages=hello, **bad.asks)

            [attempt] = reply.trace.attempts
            assert (name, attempt.outcome, reply.text) == (name, "ok", bad.said["text"] or "")


async def test_the_last_answer_can_still_be_used(
    make_router: MakeRouter, hello: Conversation, mode: str
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    scripts = {name: [Reply(**bad.said, usage=usage, drip=AT_ONCE)] for name, bad in BAD.items()}
    routes = {name: {"chain": [f"a/{name}"], "fallback_on": [bad.kind]} for name, bad in BAD.items()}
    async with Simulator(scripts) as simulator, make_router(simulator, routes) as router:
        for name, bad in BAD.items():
            with pytest.raises(bad.error) as caught:
                await asked(router, mode, model=name, messages=hello, **bad.asks)

            error = caught.value
            [attempt] = error.attempts
            assert (error.kind, error.provider, error.model, error.attempt) == (bad.kind, "a", name, 1)
            assert error.usage is not None
            assert attempt.usage is not None
            assert error.usage.total_tokens == attempt.usage.total_tokens == 1500
            response = error.response
            assert response is not None
            assert (response.text, response.refusal) == (bad.said["text"] or "", bad.said.get("refusal"))
            assert (response.provider, response.model) == ("a", name)
            assert response.cost is not None
            assert response.cost.amount == attempt.cost.amount == Decimal("0.002")

    assert router.ledger.total.cost == Decimal("0.002") * len(BAD)
    assert router.ledger.total.attempts == len(BAD)


async def test_the_last_of_several_answers_can_still_be_used(
    make_router: MakeRouter, hello: Conversation, mode: str
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    said = [Reply(text="Half", finish_reason="length", usage=usage, drip=AT_ONCE)]
    route = {"chain": ["a/cut", "b/cut"], "fallback_on": ["truncated"]}
    async with Simulator({"cut": said}) as simulator, make_router(simulator, {"r": route}) as router:
        with pytest.raises(AllTargetsFailedError) as caught:
            await asked(router, mode, model="r", messages=hello)

    error = caught.value
    # 1000 tokens at 1 USD and 500 at 2 USD a million; ten times as much at b
    assert [attempt.cost.amount for attempt in error.attempts] == [Decimal("0.002"), Decimal("0.02")]
    assert [type(failure) for failure in error.errors] == [TruncatedResponseError] * 2
    assert error.response is error.errors[-1].response  # type: ignore[union-attr]
    assert error.response is not None
    assert error.response.provider == "b"
    assert len(error.response.trace.attempts) == 2
    assert router.ledger.total.cost == Decimal("0.022")


async def test_a_rejected_answer_is_a_full_line_of_the_ledger(
    make_router: MakeRouter, hello: Conversation, mode: str
) -> None:
    route = {"chain": ["a/bad"], "fallback_on": ["refusal"], "on_unsupported": "drop"}
    said = [Reply(text=None, refusal="No.", usage="missing", drip=AT_ONCE)]
    async with Simulator({"bad": said}) as simulator, make_router(simulator, {"r": route}) as router:
        with pytest.raises(RefusalError, match="a/bad: the model declined"):
            await asked(router, mode, model="r", messages=hello)

    [attempt] = router.ledger.attempts()
    assert attempt.first_token_seconds is not None
    assert attempt.cost.basis == "unknown"  # the provider counts what it bills, and did not say
    assert router.ledger.total.attempts == 1


async def test_a_target_whose_answers_are_useless_is_alive(
    make_router: MakeRouter, hello: Conversation
) -> None:
    route = {"chain": ["a/bad", "b/good"], "fallback_on": ["refusal"]}
    policies = {"breaker": {"failures": 2, "calls": 2}, "retry_budget": True}
    async with Simulator({"bad": [Reply(text=None, refusal="No.")], "good": [GOOD]}) as simulator:
        async with make_router(simulator, {"r": route}, defaults=policies) as router:
            for _ in range(6):
                reply = await router.complete(model="r", messages=hello)
                assert [attempt.outcome for attempt in reply.trace.attempts] == ["failed", "ok"]


@pytest.mark.parametrize(
    ("texts", "outcome"), [(["", "Fine"], "ok"), (["", ""], "failed"), (["Fine", ""], "ok")]
)
async def test_one_good_choice_is_enough(
    make_router: MakeRouter, hello: Conversation, texts: list[str], outcome: str
) -> None:
    choices = [
        {"index": place, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for place, text in enumerate(texts)
    ]
    body = ChatResponse.model_validate({"id": "c", "model": "m", "created": 1, "choices": choices})
    async with Simulator({"m": [Reply(body=body.model_dump_json().encode())]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}) as router:
            try:
                reply = await router.complete(model="r", messages=hello, n=2)
                assert [choice.message.content for choice in reply.choices] == texts
            except EmptyResponseError as error:
                assert error.response is not None

    assert router.ledger.attempts()[-1].outcome == outcome


@pytest.mark.parametrize(
    "said",
    [
        {"tool_calls": [{"name": "look_up", "arguments": "{"}]},
        {"text": None, "refusal": "I will not."},
        {"text": ' {"city": "Oslo", "more": null}\n'},
    ],
)
async def test_what_is_no_answer_need_not_be_json(
    make_router: MakeRouter, hello: Conversation, said: dict[str, Any]
) -> None:
    route = {"chain": ["a/m", "b/m"], "fallback_on": ["invalid_json"]}
    async with Simulator({"m": [Reply(**said)]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            reply = await router.complete(model="r", messages=hello, response_format=IN_SCHEMA)

    assert reply.provider == "a"


async def test_a_targets_own_response_format_counts(make_router: MakeRouter, hello: Conversation) -> None:
    loose = {"target": "a/m", "request": {"response_format": {"type": "text"}}}
    route = {"chain": [{"target": "a/m", "request": {"response_format": AS_OBJECT}}, loose]}
    async with Simulator({"m": [Reply(text="Oslo.")]}) as simulator:
        async with make_router(simulator, {"r": {**route, "fallback_on": ["invalid_json"]}}) as router:
            reply = await router.complete(model="r", messages=hello)

    assert [attempt.outcome for attempt in reply.trace.attempts] == ["failed", "ok"]


async def test_a_schema_without_a_schema_asks_for_any_json(
    make_router: MakeRouter, hello: Conversation
) -> None:
    route = {"chain": ["a/m"], "fallback_on": ["invalid_json"]}
    asks = {"type": "json_schema", "json_schema": {"name": "anything"}}
    async with Simulator({"m": [Reply(text="[1]"), Reply(text="one")]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            assert (await router.complete(model="r", messages=hello, response_format=asks)).text == "[1]"
            with pytest.raises(InvalidJSONError, match=r"is not JSON: expected value at line 1 column 1\. "):
                await router.complete(model="r", messages=hello, response_format=asks)


async def test_a_mismatch_is_told_by_its_place_and_not_by_its_value(
    make_router: MakeRouter, hello: Conversation
) -> None:
    route = {"chain": ["a/m"], "fallback_on": ["invalid_json"]}
    async with Simulator({"m": [Reply(text='{"city": "12 Secret Street"}')]}) as simulator:
        async with make_router(simulator, {"r": route}) as router:
            schema = {**CITY, "properties": {"city": {"enum": ["Oslo", "Bergen"]}}}
            asks = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
            with pytest.raises(InvalidJSONError) as caught:
                await router.complete(model="r", messages=hello, response_format=asks)

    assert 'its schema: $.city is none of ["Oslo", "Bergen"].' in str(caught.value)
    assert "Secret" not in str(caught.value)


async def test_a_providers_own_word_for_a_refusal_counts(
    make_router: MakeRouter, hello: Conversation
) -> None:
    settings = {"house": {"preset": "anthropic", "api_key": "k"}}
    chain = ["house/claude-haiku-4-5"]
    routes = {"r": {"chain": chain, "fallback_on": ["refusal"]}}
    routes["both"] = {"chain": chain, "fallback_on": ["refusal", "content_policy"]}
    stopped = Reply(text="I", finish_reason="content_filter")  # Anthropic calls this ending `refusal`
    async with Simulator({"claude-haiku-4-5": [stopped]}) as simulator:
        settings["house"]["base_url"] = simulator.root
        async with Router({"providers": settings, "routes": routes}, env={}) as router:
            with pytest.raises(RefusalError):
                await router.complete(model="r", messages=hello)
            with pytest.raises(ContentPolicyError):
                await router.complete(model="both", messages=hello)


def test_nothing_is_judged_where_nothing_is_named() -> None:
    provider = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
    routes: dict[str, Any] = {
        "plain": {"chain": ["a/m"]},
        "easy": {"chain": ["a/m"], "fallback_on": ["server"]},
        "strict": {"chain": ["a/m"], "fallback_on": ["truncated"]},
        "rejecting": {"chain": ["a/m"], "reject": ["tastes:has_worn_words"], "fallback_on": []},
    }
    router = Router({"providers": {"a": provider}, "routes": routes}, env={})
    found = {}
    for name in routes:
        [planned] = router._snapshot.planner.plan(name).targets
        found[name] = planned.judge and (planned.judge.ahead, planned.judge.asks)

    assert found == {
        "plain": (False, False),  # empty answers, which every chain goes on after
        "easy": None,
        "strict": (True, False),
        "rejecting": (True, True),
    }
    assert router._snapshot.planner.plan("rejecting").fallback_on == {"rejected"}


def test_an_answer_without_a_choice_is_empty() -> None:
    request = ChatCompletion(model="m", messages=[Message.user("Hello")])
    strict, easy = judge(["empty"]), judge(["truncated"])
    assert strict is not None
    assert easy is not None
    assert isinstance(strict.fault(ChatResponse(), request), EmptyResponseError)
    assert easy.fault(ChatResponse(), request) is None


def test_every_error_of_an_answer_says_where_the_answer_is() -> None:
    for error in (RefusalError, TruncatedResponseError, InvalidJSONError, RejectedResponseError):
        assert "`response`" in error.advice
