"""The simulator speaks Converse: to botocore's own client, and to a router through the bedrock dialect."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

from turnout import Router
from turnout.providers.errors import ProviderError, StreamInterruptedError
from turnout.testing import Reply, Simulator

CLAUDE, NOVA, LLAMA = "us.anthropic.claude-haiku-4-5-v1:0", "us.amazon.nova-pro-v1:0", "meta.llama3-v1:0"
CALL = {"name": "weather", "arguments": {"city": "Oslo"}}
THINK = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
TOOLS: dict[str, Any] = {
    "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}]
}
HI: list[Any] = [{"role": "user", "content": [{"text": "Hi there"}]}]
REPLIES = {
    CLAUDE: [Reply(text="It is four", reasoning="two and two", tool_calls=[CALL, CALL])],
    "silent": [Reply(text="yes", finish_reason=None, usage="missing")],
    "counted": [Reply(usage={"inputTokens": 7, "outputTokens": 8, "totalTokens": 15})],
    "limited": [Reply(status=429), Reply(text="now it works")],
    "lost": [Reply(status=404)],
    "named": [Reply(status=400, error={"type": "ServiceQuotaExceededException", "message": "no more"})],
    "broken": [Reply(text="one two", error={"type": "ThrottlingException"}, error_event_after=3)],
    "failed": [Reply(error="replica lost", error_in_200=True)],
    "garbled": [Reply(malformed_event=2)],
    "cut": [Reply(end_after_events=3)],
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(REPLIES, api_key="AKIDEXAMPLE").serving() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()  # it has read the service's long model once


def client_of(session: Session, simulator: Simulator, service: str, key: str = "AKIDEXAMPLE") -> Any:
    for model, replies in REPLIES.items():  # from their beginnings, whichever test ran before
        simulator.script(model, *replies)
    return session.create_client(
        service,
        region_name="us-east-1",
        endpoint_url=simulator.root,
        aws_access_key_id=key,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def client(session: Session, simulator: Simulator) -> Iterator[Any]:
    client = client_of(session, simulator, "bedrock-runtime")
    yield client
    client.close()
    with warnings.catch_warnings():  # botocore leaves the socket of a stream that broke off to the collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class TestBotocore:
    def test_a_whole_answer(self, client: Any) -> None:
        answer = client.converse(modelId="echo", messages=HI)
        assert answer["output"]["message"]["content"] == [{"text": "Hi there"}]
        assert answer["stopReason"] == "end_turn"
        assert answer["usage"] == {"inputTokens": 2, "outputTokens": 2, "totalTokens": 4}
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"].startswith("req_")

    def test_thinking_is_signed_and_taken_back_unaltered(self, client: Any) -> None:
        given = {"modelId": CLAUDE, "toolConfig": TOOLS, "additionalModelRequestFields": THINK}
        said = client.converse(messages=HI, **given)["output"]["message"]
        thought, text, *calls = said["content"]
        assert thought["reasoningContent"]["reasoningText"]["text"] == "two and two"
        assert text == {"text": "It is four"}
        assert [call["toolUse"]["input"] for call in calls] == [{"city": "Oslo"}, {"city": "Oslo"}]
        results = [
            {"toolResult": {"toolUseId": call["toolUse"]["toolUseId"], "content": [{"text": "4"}]}}
            for call in calls
        ]
        history = [*HI, said, {"role": "user", "content": results}]
        assert client.converse(messages=history, **given)["stopReason"] == "tool_use"
        thought["reasoningContent"]["reasoningText"]["text"] = "two and three"
        with pytest.raises(ClientError, match="Invalid `signature`"):
            client.converse(messages=history, **given)

    def test_a_stream(self, client: Any) -> None:
        stream = client.converse_stream(modelId=CLAUDE, messages=HI, toolConfig=TOOLS)["stream"]
        events = [*stream]
        assert [*events[0]] == ["messageStart"]
        deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
        assert "".join(delta.get("text", "") for delta in deltas) == "It is four"
        assert any("signature" in delta.get("reasoningContent", ()) for delta in deltas)
        said = "".join(delta["toolUse"]["input"] for delta in deltas if "toolUse" in delta)
        assert said == '{"city":"Oslo"}' * 2
        starts = [event["contentBlockStart"]["start"] for event in events if "contentBlockStart" in event]
        assert [start["toolUse"]["name"] for start in starts] == ["weather", "weather"]
        assert events[-2] == {"messageStop": {"stopReason": "tool_use"}}
        assert events[-1]["metadata"]["usage"]["outputTokens"] == 12

    def test_thinking_that_is_switched_off_and_an_answer_that_says_little(self, client: Any) -> None:
        off = {"thinking": {"type": "disabled"}}
        answer = client.converse(modelId=CLAUDE, messages=HI, additionalModelRequestFields=off)
        assert "reasoningContent" not in answer["output"]["message"]["content"][0]
        silent = client.converse(modelId="silent", messages=HI)
        assert "stopReason" not in silent
        assert "usage" not in silent
        assert client.converse(modelId="counted", messages=HI)["usage"]["totalTokens"] == 15

    def test_errors_by_their_names(self, client: Any) -> None:
        for model, name in (
            ("limited", "ThrottlingException"),
            ("lost", "ResourceNotFoundException"),
            ("named", "ServiceQuotaExceededException"),
        ):
            with pytest.raises(ClientError) as caught:
                client.converse(modelId=model, messages=HI)
            assert caught.value.response["Error"]["Code"] == name
        with pytest.raises(Exception, match="throttlingException"):
            list(client.converse_stream(modelId="broken", messages=HI)["stream"])

    def test_another_key_is_refused(self, session: Session, simulator: Simulator) -> None:
        client = client_of(session, simulator, "bedrock-runtime", key="OTHER")
        with pytest.raises(ClientError) as caught:
            client.converse(modelId="echo", messages=HI)
        client.close()
        assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"

    def test_the_list_of_models(self, session: Session, simulator: Simulator) -> None:
        client = client_of(session, simulator, "bedrock")
        rows = client.list_foundation_models()["modelSummaries"]
        client.close()
        assert CLAUDE in {row["modelId"] for row in rows}


USE = {"toolUse": {"toolUseId": "t", "name": "weather", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "t", "content": [{"text": "4"}]}}
ASKED = [{"role": "assistant", "content": [USE]}]
TEXT: dict[str, Any] = {"text": "Hi"}
POINT = {"cachePoint": {"type": "default"}}


@pytest.mark.parametrize(
    ("model", "messages", "more", "says"),
    [
        (NOVA, [], {}, "messages field is required"),
        (NOVA, [*ASKED], {}, "must start with a user message"),
        (NOVA, [*HI, *HI], {}, "must alternate"),
        (NOVA, [*HI, *ASKED], {}, "toolConfig field must be defined"),
        (NOVA, [*HI, *ASKED, *HI], {"toolConfig": TOOLS}, "Expected toolResult blocks"),
        (NOVA, [{"role": "user", "content": [RESULT]}], {"toolConfig": TOOLS}, "exceeds the number"),
        (NOVA, [{"role": "user", "content": [{"text": " "}]}], {}, "is blank"),
        (
            LLAMA,
            [*HI, *ASKED, {"role": "user", "content": [RESULT, TEXT]}],
            {"toolConfig": TOOLS},
            "same turn",
        ),
        (NOVA, [{"role": "user", "content": [POINT, TEXT]}], {}, "first element"),
        (NOVA, [{"role": "user", "content": [TEXT, *[POINT] * 5]}], {}, "limit of 4"),
        (
            NOVA,
            HI,
            {"inferenceConfig": {"maxTokens": 9}, "additionalModelRequestFields": THINK},
            "max_tokens",
        ),
    ],
)
def test_what_the_service_refuses(
    client: Any, model: str, messages: list[Any], more: dict[str, Any], says: str
) -> None:
    with pytest.raises(ClientError, match=says):
        client.converse(modelId=model, messages=messages, **more)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"x": 1}, "Unknown parameter"),
        ({"toolConfig": {"tools": []}}, "toolConfig.tools"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "a b", "description": ""}}]}}, "description"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "a b"}}]}}, "toolSpec.name"),
        ({"inferenceConfig": {"temperature": 2}}, "between 0 and 1"),
        ({"messages": [{"role": "user", "content": [{"document": {}}]}]}, "text block is required"),
        (
            {
                "messages": [
                    *HI,
                    {"role": "assistant", "content": [{"toolUse": {**USE["toolUse"], "name": "é"}}]},
                ],
                "toolConfig": TOOLS,
            },
            "regular expression",
        ),
    ],
)
def test_what_botocore_would_not_even_send(simulator: Simulator, body: dict[str, Any], says: str) -> None:
    answer = httpx.post(
        f"{simulator.root}/model/m/converse",
        json={"messages": HI, **body},
        headers={"authorization": "Bearer AKIDEXAMPLE"},
    )
    assert answer.status_code == 400
    assert answer.json()["__type"] == "ValidationException"
    assert says in answer.json()["message"]


def router_for(simulator: Simulator, **more: Any) -> Router:
    provider = {
        "preset": "bedrock",
        "base_url": simulator.root,
        "api_key": "AKIDEXAMPLE:secret",
        "options": {"region": "us-east-1"},
    }
    return Router({"providers": {"p": provider}, **more})


def asked(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def simulated() -> Simulator:
    return Simulator(REPLIES, api_key="AKIDEXAMPLE")


@pytest.mark.anyio
class TestARouter:
    """Turnout's own dialect, which signs its requests."""

    async def test_a_tool_loop_with_signed_thinking(self) -> None:
        given: dict[str, Any] = {
            "model": f"p/{CLAUDE}",
            "tools": [{"type": "function", "function": {"name": "weather"}}],
            "thinking_budget": 1024,
        }
        messages: list[Any] = [{"role": "user", "content": "Oslo?"}]
        async with simulated() as simulator, router_for(simulator) as router:
            first = await router.complete(messages=messages, **given)
            assert (first.reasoning, first.finish_reason) == ("two and two", "tool_calls")
            messages.append(first.message.as_message())
            messages += [
                {"role": "tool", "tool_call_id": one.id, "content": "4 C"} for one in first.tool_calls
            ]
            again = await router.complete(messages=messages, **given)
            assert again.text == "It is four"
            sent = simulator.requests[-1]
            assert "Credential=AKIDEXAMPLE/" in sent.headers["authorization"]
            thought = sent.body["messages"][1]["content"][0]["reasoningContent"]["reasoningText"]
            assert thought["text"] == "two and two"
            assert thought["signature"]

    @pytest.mark.parametrize("model", [CLAUDE, NOVA, "silent", "counted"])
    async def test_a_stream_says_what_the_whole_answer_says(self, model: str) -> None:
        async with simulated() as simulator, router_for(simulator) as router:
            whole = await router.complete(model=f"p/{model}", messages=asked("Hi there"))
            async with router.stream(model=f"p/{model}", messages=asked("Hi there")) as stream:
                chunks = [chunk async for chunk in stream]
            assert "".join(chunk.text for chunk in chunks) == whole.text
            assert stream.response.finish_reason == whole.finish_reason
            assert stream.response.reasoning == whole.reasoning
            assert stream.response.usage == whole.usage
            assert [call.function for call in stream.response.tool_calls] == [
                call.function for call in whole.tool_calls
            ]
            assert simulator.requests[-1].headers["accept"] == "application/vnd.amazon.eventstream"

    async def test_an_answer_in_a_form(self) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
        call = {"name": "give_answer", "arguments": {"city": "Oslo"}}
        async with (
            Simulator({NOVA: [Reply(tool_calls=[call])]}) as simulator,
            router_for(simulator) as router,
        ):
            answer = await router.complete(model=f"p/{NOVA}", messages=asked("Hi"), response_format=form)
            assert (answer.text, answer.finish_reason) == ('{"city":"Oslo"}', "stop")
            assert not answer.tool_calls

    async def test_after_a_limit_it_tries_again(self) -> None:
        async with simulated() as simulator, router_for(simulator) as router:
            assert (await router.complete(model="p/limited", messages=asked("Hi"))).text == "now it works"

    @pytest.mark.parametrize(
        ("model", "kind"),
        [("lost", "not_found"), ("named", "quota"), ("failed", "server"), ("garbled", "malformed")],
    )
    async def test_failures_by_kind(self, model: str, kind: str) -> None:
        once = {"defaults": {"retry": {"attempts": 1}}}
        async with simulated() as simulator, router_for(simulator, **once) as router:
            with pytest.raises(ProviderError) as caught:
                await router.complete(model=f"p/{model}", messages=asked("Hi"))
            assert caught.value.kind == kind

    @pytest.mark.parametrize("model", ["broken", "cut"])
    async def test_streams_that_fail(self, model: str) -> None:
        async with simulated() as simulator, router_for(simulator) as router:
            said = ""
            with pytest.raises(StreamInterruptedError):
                async with router.stream(model=f"p/{model}", messages=asked("Hi there you")) as stream:
                    async for chunk in stream:
                        said += chunk.text
            assert said

    async def test_the_list_of_models_is_signed_as_well(self) -> None:
        async with simulated() as simulator, router_for(simulator) as router:
            models = await router.models("p")
            assert CLAUDE in [model.id.removeprefix("p/") for model in models.data]
            assert "Credential=AKIDEXAMPLE/" in simulator.requests[-1].headers["authorization"]
