"""The simulator speaks Cohere's wire: to Cohere's own client, and to a router through the cohere dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cohere
import httpx
import pytest

from turnout import Router
from turnout.testing import Reply, Simulator

PLAIN, THINKER = "command-a-03-2025", "command-a-reasoning-08-2025"
CALL = {"name": "weather", "arguments": {"city": "Oslo"}}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TOOLS: list[Any] = [TOOL]
HI: list[Any] = [{"role": "user", "content": "Hi there"}]
REPLIES = {
    PLAIN: [Reply(text="Good day to you")],
    THINKER: [Reply(text="It is four", reasoning="two and two")],
    "command-r7b-12-2024": [Reply(tool_calls=[CALL, CALL], reasoning="I will look")],
    "calls": [Reply(tool_calls=[CALL], reasoning="let me see"), Reply(text="It is cold")],
    "long": [Reply(text="Once upon", finish_reason="length", usage="missing")],
    "limited": [Reply(status=429, headers={"Retry-After": "0"}), Reply(text="now it works")],
    "bad": [Reply(status=400, error="too many tokens: size limit exceeded by 3 tokens")],
    "broken": [Reply(text="one two", error="replica lost", error_event_after=3)],
    "failed": [Reply(error="replica lost", error_in_200=True)],
    "garbled": [Reply(malformed_event=2)],
    "cut": [Reply(end_after_events=3)],
    "counted": [Reply(usage={"tokens": {"input_tokens": 7, "output_tokens": 8}}, finish_reason=None)],
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(REPLIES, api_key="key").serving() as simulator:
        yield simulator


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as http:  # the SDK never closes its own
        yield http


@pytest.fixture
def client(simulator: Simulator, http: httpx.Client) -> cohere.ClientV2:
    for model, replies in REPLIES.items():  # from their beginnings, whichever test ran before
        simulator.script(model, *replies)
    return cohere.ClientV2(base_url=simulator.root, api_key="key", httpx_client=http)


class TestCoheresOwnClient:
    def test_a_whole_answer(self, client: cohere.ClientV2) -> None:
        answer = client.chat(model=PLAIN, messages=HI, logprobs=True)
        assert answer.finish_reason == "COMPLETE"
        assert [one.model_dump() for one in answer.message.content or ()] == [
            {"type": "text", "text": "Good day to you"}
        ]
        assert answer.usage is not None
        assert answer.usage.tokens is not None
        assert (answer.usage.tokens.input_tokens, answer.usage.tokens.output_tokens) == (2, 4)
        assert [one.text for one in answer.logprobs or ()] == ["Good", " day", " to", " you"]

    def test_thinking_that_can_be_switched_off(self, client: cohere.ClientV2) -> None:
        said = client.chat(model=THINKER, messages=HI).message.content or []
        assert [one.type for one in said] == ["thinking", "text"]
        silent = client.chat(model=THINKER, messages=HI, thinking=cohere.Thinking(type="disabled"))
        assert [one.type for one in silent.message.content or ()] == ["text"]

    def test_a_stream(self, client: cohere.ClientV2) -> None:
        events = list(client.chat_stream(model=THINKER, messages=HI, logprobs=True))
        assert [event.type for event in events] == [
            "message-start", "content-start", *["content-delta"] * 3, "content-end",
            "content-start", *["content-delta"] * 3, "content-end", "message-end",
        ]  # fmt: skip
        said = [event.delta.message.content for event in events if event.type == "content-delta"]  # type: ignore[union-attr]
        assert "".join(one.thinking or "" for one in said if one) == "two and two"
        assert "".join(one.text or "" for one in said if one) == "It is four"

    def test_tool_calls_and_their_results(self, client: cohere.ClientV2) -> None:
        model = "command-r7b-12-2024"
        answer = client.chat(model=model, messages=HI, tools=TOOLS)
        assert answer.finish_reason == "TOOL_CALL"
        assert answer.message.tool_plan == "I will look"
        calls = answer.message.tool_calls or []
        assert [one.function.arguments for one in calls if one.function] == ['{"city": "Oslo"}'] * 2
        results = [{"role": "tool", "tool_call_id": one.id, "content": "4 C"} for one in calls]
        messages: list[Any] = [*HI, answer.message.model_dump(), *results]
        again = client.chat(model=model, messages=messages, tools=TOOLS)
        assert again.message.tool_plan == "I will look"

    def test_streamed_tool_calls(self, client: cohere.ClientV2) -> None:
        events = list(client.chat_stream(model="command-r7b-12-2024", messages=HI, tools=TOOLS))
        kinds = [event.type for event in events]
        assert kinds.count("tool-call-start") == kinds.count("tool-call-end") == 2
        plan = [one.delta.message.tool_plan for one in events if one.type == "tool-plan-delta"]  # type: ignore[union-attr]
        assert "".join(filter(None, plan)) == "I will look"

    @pytest.mark.parametrize("document", ["Days are good.", {"id": "d", "data": {"text": "Days are good."}}])
    def test_documents_are_cited(self, client: cohere.ClientV2, document: Any) -> None:
        citations = client.chat(model=PLAIN, messages=HI, documents=[document]).message.citations or []
        assert [(one.start, one.end, one.text) for one in citations] == [(0, 4, "Good")]
        events = client.chat_stream(model=PLAIN, messages=HI, documents=[document])
        cited = [one.delta.message.citations for one in events if one.type == "citation-start"]  # type: ignore[union-attr]
        assert cited == citations

    def test_errors(self, client: cohere.ClientV2, simulator: Simulator, http: httpx.Client) -> None:
        with pytest.raises(cohere.BadRequestError, match="too many tokens"):
            client.chat(model="bad", messages=HI)
        stranger = cohere.ClientV2(base_url=simulator.root, api_key="other", httpx_client=http)
        with pytest.raises(cohere.UnauthorizedError, match="not valid"):
            stranger.chat(model=PLAIN, messages=HI)
        *_, last = client.chat_stream(model="broken", messages=HI)
        assert last.type == "message-end"
        assert last.delta is not None
        assert (last.delta.finish_reason, last.delta.error) == ("ERROR", "replica lost")

    def test_models(self, client: cohere.ClientV2) -> None:
        models = client.models.list(endpoint="chat").models
        assert [one.name for one in models] == list(REPLIES)
        assert models[1].features == ["tools", "reasoning"]

    def test_a_model_without_a_script_repeats_what_it_hears(self, client: cohere.ClientV2) -> None:
        messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "Ahoy"}]}]
        said = client.chat(model="parrot", messages=messages).message.content or []
        assert [one.text for one in said if one.type == "text"] == ["Ahoy"]


def assistant(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": list(calls)}


CALLED = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "4 C"}
NAMELESS: dict[str, Any] = {"type": "function", "function": {"name": "get-it", "parameters": {}}}
FORM = {"type": "json_object", "json_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": ""}, "a model parameter is required"),
        ({"messages": []}, "at least 1 token long"),
        ({"messages": [*HI, {"role": "system", "content": "x"}]}, "system turn must be the first"),
        ({"messages": [*HI, {"role": "user", "content": ""}]}, "must not be empty"),
        ({"messages": [*HI, {"role": "tool", "content": "x"}]}, "tool call id must be provided"),
        ({"messages": [*HI, RESULT]}, "not found in previous tool calls"),
        ({"messages": [*HI, assistant(CALLED), *HI, RESULT]}, "not found in previous tool calls"),
        ({"messages": [*HI, assistant(CALLED, CALLED)]}, "duplicate tool ids"),
        ({"messages": [*HI, assistant({**CALLED, "type": "custom"})]}, "must be of type function"),
        ({"tools": [NAMELESS]}, "tool names can only contain"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "has no parameters"),
        ({"tool_choice": "REQUIRED"}, "needs tools"),
        ({"temperature": 1.5}, "temperature must be between"),
        ({"frequency_penalty": 0.1, "presence_penalty": 0.1}, "cannot specify both"),
        ({"stop_sequences": list("abcdef")}, "stop sequences"),
        ({"documents": []}, "must not be empty"),
        ({"thinking": {"type": "enabled"}}, "thinking is not supported"),
        ({"response_format": FORM, "tools": TOOLS}, "response_format is not supported"),
        ({"response_format": {"type": "json_object", "json_schema": {"type": "array"}}}, "schema must be"),
    ],
)
def test_what_cohere_refuses(simulator: Simulator, wrong: dict[str, Any], message: str) -> None:
    body = {"model": PLAIN, "messages": HI, **wrong}
    answer = httpx.post(f"{simulator.root}/v2/chat", json=body, headers={"Authorization": "Bearer key"})
    assert answer.status_code == 400
    assert message in answer.json()["message"]


def router_for(simulator: Simulator) -> Router:
    return Router({"providers": {"p": {"preset": "cohere", "base_url": simulator.root, "api_key": "key"}}})


@pytest.mark.anyio
class TestARouter:
    async def test_a_conversation_with_tools(self) -> None:
        async with Simulator(REPLIES, api_key="key") as simulator, router_for(simulator) as router:
            first = await router.complete(model="p/calls", messages=HI, tools=TOOLS, tool_choice="required")
            assert (first.finish_reason, first.reasoning) == ("tool_calls", "let me see")
            call = first.tool_calls[0]
            messages = [
                *HI,
                first.message.as_message(),
                {"role": "tool", "tool_call_id": call.id, "content": "4 C"},
            ]
            second = await router.complete(model="p/calls", messages=messages, tools=TOOLS)
            assert second.text == "It is cold"
            sent = simulator.requests[-1].body["messages"]
            assert sent[1]["content"] == [{"type": "thinking", "thinking": "let me see"}]
            assert [one["role"] for one in sent] == ["user", "assistant", "tool"]

    @pytest.mark.parametrize("model", [PLAIN, THINKER, "command-r7b-12-2024", "long", "counted"])
    async def test_a_stream_says_what_the_whole_answer_says(self, model: str) -> None:
        async with Simulator(REPLIES, api_key="key") as simulator, router_for(simulator) as router:
            asked: dict[str, Any] = {"model": f"p/{model}", "messages": HI, "documents": ["x"]}
            whole = await router.complete(asked)
            async with router.stream(asked) as stream:
                chunks = [chunk async for chunk in stream]
            assert "".join(chunk.text for chunk in chunks) == whole.text
            assert stream.response.finish_reason == whole.finish_reason
            assert stream.response.reasoning == whole.reasoning
            assert stream.response.usage == whole.usage

    async def test_the_answer_in_a_form_beside_tools(self) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "a", "schema": TOOL["function"]["parameters"]}}
        given = {"name": "give_answer", "arguments": {"city": "Oslo"}}
        async with (
            Simulator({"m": [Reply(tool_calls=[given])]}) as simulator,
            router_for(simulator) as router,
        ):
            answer = await router.complete(model="p/m", messages=HI, tools=TOOLS, response_format=form)
            assert (answer.text, answer.finish_reason) == ('{"city": "Oslo"}', "stop")
            assert not answer.tool_calls

    async def test_after_a_limit_it_tries_again(self) -> None:
        async with Simulator(REPLIES, api_key="key") as simulator, router_for(simulator) as router:
            assert (await router.complete(model="p/limited", messages=HI)).text == "now it works"

    @pytest.mark.parametrize(
        ("model", "kind"), [("bad", "context_window"), ("failed", "server"), ("garbled", "malformed")]
    )
    async def test_failures_by_kind(self, model: str, kind: str) -> None:
        settings: dict[str, Any] = {
            "providers": {"p": {"preset": "cohere", "api_key": "key"}},
            "defaults": {"retry": {"attempts": 1}},
        }
        async with Simulator(REPLIES, api_key="key") as simulator:
            settings["providers"]["p"]["base_url"] = simulator.root
            async with Router(settings) as router:
                with pytest.raises(Exception) as caught:
                    await router.complete(model=f"p/{model}", messages=HI)
                error: Any = caught.value
                assert (error.attempts[0].error.kind if error.attempts else error.kind) == kind

    @pytest.mark.parametrize(("model", "kind"), [("broken", "interrupted"), ("cut", "interrupted")])
    async def test_streams_that_fail(self, model: str, kind: str) -> None:
        async with Simulator(REPLIES, api_key="key") as simulator, router_for(simulator) as router:
            said = ""
            with pytest.raises(Exception) as caught:
                async with router.stream(model=f"p/{model}", messages=HI) as stream:
                    async for chunk in stream:
                        said += chunk.text
            assert getattr(caught.value, "kind", "") == kind
            assert said

    async def test_models(self) -> None:
        async with Simulator(REPLIES, api_key="key") as simulator, router_for(simulator) as router:
            models = await router.models("p")
            assert PLAIN in [model.id.removeprefix("p/") for model in models.data]
