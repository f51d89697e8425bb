"""Whole calls over real loopback HTTP: who answers, what is asked, what it cost, and what never leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from turnout import (
    AttemptTimeoutError,
    AuthenticationError,
    ChatCompletion,
    ConfigError,
    MalformedResponseError,
    Message,
    RequestError,
    Router,
    UnsupportedError,
)
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]
BAD_REQUESTS = json.loads((Path(__file__).parents[1] / "fixtures/bad_requests.json").read_text("utf-8"))


async def test_a_call_says_who_answered_how_it_was_routed_and_what_it_cost(
    make_router: MakeRouter, hello: Conversation
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    async with Simulator({"small": [Reply(text="Good day", usage=usage)]}) as simulator:
        async with make_router(simulator, {"assistant": ["a/small"]}) as router:
            reply = await router.complete(
                model="assistant", messages=hello, metadata={"team": "search"}, tags={"job": "7"}
            )

    assert reply.text == "Good day"
    assert (reply.provider, reply.model) == ("a", "small")
    assert reply.metadata == {"team": "search"}
    assert reply.cost is not None
    assert reply.cost.amount == Decimal("0.002")
    [attempt] = reply.trace.attempts
    assert (attempt.outcome, attempt.number, attempt.target) == ("ok", 1, "a/small")
    assert attempt.first_token_seconds is not None
    assert attempt.tags == {"job": "7"}
    assert reply.trace.route == attempt.route == "assistant"
    assert router.ledger.total.cost == Decimal("0.002")
    assert router.ledger.total.calls == 1


async def test_the_model_on_the_wire_is_the_targets_own(make_router: MakeRouter, hello: Conversation) -> None:
    async with Simulator() as simulator, make_router(simulator, {"assistant": ["a/org/big"]}) as router:
        await router.complete(model="assistant", messages=hello)
        direct = await router.complete(model="b/small", messages=hello)

    assert [request.model for request in simulator.requests] == ["org/big", "small"]
    assert direct.provider == "b"
    assert direct.trace.route is None


async def test_requests_come_as_objects_mappings_or_fields(make_router: MakeRouter) -> None:
    async with Simulator() as simulator, make_router(simulator, {"r": ["a/m"]}) as router:
        request = ChatCompletion(model="r", messages=[Message.user("One")], seed=3)
        texts = [
            (await router.complete(request)).text,
            (await router.complete(request, seed=4)).text,
            (await router.complete({"model": "r", "messages": [{"role": "user", "content": "Two"}]})).text,
        ]

    assert texts == ["One", "One", "Two"]
    assert [request.body.get("seed") for request in simulator.requests] == [3, 4, None]


async def test_a_target_may_override_the_callers_fields_and_null_takes_one_away(
    make_router: MakeRouter, hello: Conversation
) -> None:
    target = {"target": "a/m", "request": {"temperature": 0.5, "seed": None, "top_k": 5}}
    async with Simulator() as simulator, make_router(simulator, {"r": {"chain": [target]}}) as router:
        await router.complete(model="r", messages=hello, temperature=1.5, seed=3)

    body = simulator.requests[0].body
    assert (body["temperature"], body["top_k"]) == (0.5, 5)
    assert "seed" not in body


async def test_a_streamed_upstream_answer_is_put_together_for_who_wants_it_whole(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator({"m": [Reply(text="Piece by piece", reasoning="Hm")]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}) as router:
            reply = await router.complete(model="r", messages=hello, stream=True)

    assert simulator.requests[0].body["stream"] is True
    assert (reply.text, reply.reasoning) == ("Piece by piece", "Hm")
    assert reply.usage is not None
    assert reply.cost is not None
    assert reply.cost.basis == "priced"
    assert reply.trace.attempts[0].outcome == "ok"


@pytest.mark.parametrize("case", BAD_REQUESTS, ids=lambda case: str(case["id"]))
async def test_a_request_that_breaks_the_contract_never_leaves(
    make_router: MakeRouter, case: dict[str, Any]
) -> None:
    async with Simulator() as simulator, make_router(simulator, {"m": ["a/m", "b/m"]}) as router:
        with pytest.raises(RequestError) as caught:
            await router.complete(case["request"])

    assert caught.value.field == case["field"]
    assert simulator.requests == []
    assert len(router.ledger) == 0


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("asistant", "did you mean 'assistant'"),
        ("aa/small", "no provider 'aa'; did you mean 'a'"),
        ("zzz/small", "Configured providers: a, b; routes: assistant"),
        ("a/", "Routes: assistant"),
    ],
)
async def test_an_unknown_model_names_the_nearest_right_one(
    make_router: MakeRouter, hello: Conversation, model: str, words: str
) -> None:
    async with Simulator() as simulator, make_router(simulator, {"assistant": ["a/small"]}) as router:
        with pytest.raises(RequestError, match=words) as caught:
            await router.complete(model=model, messages=hello)
    assert caught.value.field == "model"
    assert simulator.requests == []


async def test_a_deadline_is_above_zero(make_router: MakeRouter, hello: Conversation) -> None:
    async with Simulator() as simulator, make_router(simulator, {"r": ["a/m"]}) as router:
        with pytest.raises(RequestError, match="above 0"):
            await router.complete(model="r", messages=hello, deadline=0)
    assert simulator.requests == []


async def test_a_target_that_cannot_say_the_request_is_skipped(hello: Conversation) -> None:
    async with Simulator() as simulator:
        settings = {
            "providers": {
                "plain": {
                    "dialect": "openai",
                    "base_url": simulator.url,
                    "quirks": {"unsupported": ["tools"]},
                },
                "full": {"dialect": "openai", "base_url": simulator.url},
            },
            "routes": {"r": ["plain/m", "full/m"], "plain-only": ["plain/m", "plain/n"]},
        }
        tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
        async with Router(settings) as router:
            reply = await router.complete(model="r", messages=hello, tools=tools)
            with pytest.raises(UnsupportedError, match="plain/n") as caught:
                await router.complete(model="plain-only", messages=hello, tools=tools)
            with pytest.raises(UnsupportedError, match="tools"):
                await router.complete(model="plain/m", messages=hello, tools=tools)

    assert reply.provider == "full"
    assert [attempt.outcome for attempt in reply.trace.attempts] == ["skipped", "ok"]
    assert caught.value.field == "tools"
    assert len(simulator.requests) == 1


async def test_the_caller_may_have_hints_refused_or_dropped(hello: Conversation) -> None:
    async with Simulator() as simulator:
        provider = {"dialect": "openai", "base_url": simulator.url, "quirks": {"unsupported": ["stop"]}}
        async with Router({"providers": {"p": provider}}) as router:
            with pytest.raises(UnsupportedError, match="stop"):
                await router.complete(model="p/m", messages=hello, stop="x")
            reply = await router.complete(model="p/m", messages=hello, stop="x", on_unsupported="drop")

    [adaptation] = reply.trace.attempts[0].adaptations
    assert (adaptation.field, adaptation.action) == ("stop", "dropped")
    assert "stop" not in simulator.requests[0].body


def test_a_missing_key_is_told_when_the_router_is_made() -> None:
    settings = {"providers": {"openai": {}}, "routes": {"r": ["openai/gpt-x"]}}

    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        Router(settings, env={})

    Router(settings, env={"OPENAI_API_KEY": "sk-0123456789"})


def test_a_key_that_no_route_needs_may_be_missing() -> None:
    Router({"providers": {"openai": {}}}, env={})


async def test_a_router_can_be_made_from_a_yaml_file(tmp_path: Path, hello: Conversation) -> None:
    async with Simulator() as simulator:
        file = tmp_path / "turnout.yaml"
        file.write_text(
            f"providers:\n  house: {{dialect: openai, base_url: '{simulator.url}', api_key: '${{KEY}}'}}\n"
            "routes:\n  assistant: [house/small]\n"
        )
        async with Router.from_yaml(file, env={"KEY": "sk-0123456789"}) as router:
            reply = await router.complete(model="assistant", messages=hello)

    assert reply.provider == "house"
    assert simulator.requests[0].headers["authorization"] == "Bearer sk-0123456789"
    assert simulator.requests[0].headers["user-agent"].startswith("turnout/")


async def test_a_given_client_carries_the_calls_and_stays_open(
    make_router: MakeRouter, hello: Conversation
) -> None:
    async with Simulator() as simulator, httpx.AsyncClient(headers={"x-mine": "1"}) as client:
        async with make_router(simulator, {"r": ["a/m"]}, options={"client": client}) as router:
            await router.complete(model="r", messages=hello)
        assert not client.is_closed
        assert simulator.requests[0].headers["x-mine"] == "1"


async def test_any_client_with_the_same_interface_will_do(
    make_router: MakeRouter, hello: Conversation
) -> None:
    httpx2 = pytest.importorskip("httpx2")
    async with Simulator({"m": [Reply(status=500), Reply(text="Fine")]}) as simulator:
        async with httpx2.AsyncClient() as client:
            async with make_router(simulator, {"r": ["a/m"]}, options={"client": client}) as router:
                reply = await router.complete(model="r", messages=hello)
                async with router.stream(model="r", messages=hello) as stream:
                    texts = [chunk.text async for chunk in stream]

    assert reply.text == "".join(texts) == "Fine"


async def test_models_are_listed_as_the_provider_names_them(make_router: MakeRouter) -> None:
    async with Simulator({"m": [Reply()], "org/n": [Reply()]}) as simulator:
        async with make_router(simulator, {}) as router:
            models = await router.models("a")
            with pytest.raises(RequestError, match="no provider is called 'c'"):
                await router.models("c")

    assert {model.id for model in models.data} == {"m", "org/n"}


async def test_a_list_of_models_that_cannot_be_had_is_a_typed_error(hello: Conversation) -> None:
    async def answer(stream: anyio.abc.SocketStream, body: bytes | None) -> None:
        async with stream:
            await stream.receive()
            if body is None:
                await anyio.sleep_forever()
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body or b'')}\r\n\r\n"
            await stream.send(head.encode() + (body or b""))

    async with Simulator(api_key="another key") as simulator, anyio.create_task_group() as tasks:
        settings: dict[str, Any] = {"providers": {"closed": {"dialect": "openai", "base_url": simulator.url}}}
        for name, body in (("odd", b'{"data": 7}'), ("mute", None)):
            listener = await tasks.start(listening, partial(answer, body=body))
            settings["providers"][name] = {"dialect": "openai", "base_url": listener}
        settings["providers"]["mute"]["timeouts"] = {"first_token": "100ms"}
        async with Router(settings) as router:
            with pytest.raises(AuthenticationError):
                await router.models("closed")
            with pytest.raises(MalformedResponseError, match="no list of models"):
                await router.models("odd")
            with pytest.raises(AttemptTimeoutError, match=r"0\.1 s") as caught:
                await router.models("mute")
        tasks.cancel_scope.cancel()
    assert caught.value.provider == "mute"


async def listening(
    answer: Callable[[anyio.abc.SocketStream], Any], *, task_status: anyio.abc.TaskStatus[str]
) -> None:
    """A bare server; tells its URL once it listens."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        task_status.started(f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}/v1")
        await listener.serve(answer)


async def test_explaining_sends_nothing_and_tells_everything(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {
        "r": {
            "chain": ["a/m", {"target": "b/n", "request": {"temperature": 0}}],
            "context_window": ["b/large"],
            "deadline": "30s",
        }
    }
    async with Simulator() as simulator, make_router(simulator, routes) as router:
        told = router.explain(model="r", messages=hello, max_tokens=1000, temperature=1)
        unknown = router.explain(model="r", messages=hello)

    assert simulator.requests == []
    assert [step.target for step in told.steps] == ["a/m", "b/n"]
    assert [step.payload["temperature"] for step in told.steps] == [1, 0]
    assert [(kind, step.target) for kind, steps in told.branches for step in steps] == [
        ("context_window", "b/large")
    ]
    assert (told.max_attempts, told.seconds) == (4, 30)
    assert told.cost is not None
    assert told.cost > Decimal("0.02") * 4
    assert unknown.cost is None
    assert "sk-test" not in repr(told)
    assert "1. a/m" in str(told)


async def test_explaining_tells_which_targets_would_be_skipped(hello: Conversation) -> None:
    provider = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "quirks": {"unsupported": ["stop"]}}
    async with Router({"providers": {"p": provider}, "routes": {"r": ["p/m"]}}) as router:
        told = router.explain(model="r", messages=hello, stop=["x"])

    assert told.steps[0].skipped
    assert told.max_attempts == 0
    assert "nothing is sent" in str(told)
