"""Google's own client takes the simulator for Google, and turnout's router speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from turnout import AuthenticationError, BadRequestError, Router
from turnout.testing import Reply, Simulator

Fields = dict[str, Any]
MODEL = "gemini-3.8-flash"
REPLIES = {
    MODEL: [Reply(text="Good day to you", reasoning="be kind")],
    "gemini-3-calls": [
        Reply(tool_calls=[{"name": "weather", "arguments": {"city": "Oslo"}}] * 2, reasoning="look"),
        Reply(text="Four degrees"),
    ],
    "gemini-3-busy": [Reply(status=503, error="The model is overloaded.")],
    "gemini-3-breaks": [Reply(text="a b c d", error_event_after=2, error="out of memory")],
    "gemini-3-filtered": [Reply(text="Half", finish_reason="content_filter")],
}
TOOL: Fields = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(REPLIES, api_key="key").serving() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def client(simulator: Simulator) -> Iterator[genai.Client]:
    with genai.Client(
        api_key="key", http_options=types.HttpOptions(base_url=simulator.root, api_version="v1beta")
    ) as client:
        yield client


THOUGHTS = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))


def test_the_sdk_reads_a_whole_answer(client: genai.Client) -> None:
    answer = client.models.generate_content(model=MODEL, contents="Hi there", config=THOUGHTS)
    assert answer.text == "Good day to you"
    assert answer.parts is not None
    assert (answer.parts[0].text, answer.parts[0].thought) == ("be kind", True)
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    usage = answer.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count) == (2, 4, 2)


def test_the_sdk_reads_a_stream(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="Hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == "Good day to you"
    assert len(chunks) == 5


def test_the_sdk_carries_calls_and_signatures(client: genai.Client, simulator: Simulator) -> None:
    simulator.script("gemini-3-calls", *REPLIES["gemini-3-calls"])
    declared = types.FunctionDeclaration(name="weather", parameters_json_schema={"type": "object"})
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    chat = client.chats.create(model="gemini-3-calls", config=config)
    asked = chat.send_message("Weather?")
    assert [call.args for call in asked.function_calls or ()] == [{"city": "Oslo"}] * 2
    results = [
        types.Part.from_function_response(name="weather", response={"output": "4"})
        for _ in asked.function_calls or ()
    ]
    assert chat.send_message(list(results)).text == "Four degrees"


def test_the_sdk_reads_errors_and_models(client: genai.Client, simulator: Simulator) -> None:
    with pytest.raises(errors.ServerError) as busy:
        client.models.generate_content(model="gemini-3-busy", contents="Hi")
    assert (busy.value.code, busy.value.status) == (503, "UNAVAILABLE")
    with pytest.raises(errors.APIError):
        list(client.models.generate_content_stream(model="gemini-3-breaks", contents="Hi"))
    assert {model.name for model in client.models.list()} == {f"models/{name}" for name in REPLIES}
    stranger = types.HttpOptions(base_url=simulator.root, api_version="v1beta")
    with (
        pytest.raises(errors.ClientError) as wrong,
        genai.Client(api_key="no", http_options=stranger) as other,
    ):
        other.models.generate_content(model=MODEL, contents="Hi")
    assert wrong.value.code == 400


def user(text: str = "Hi") -> Fields:
    return {"role": "user", "parts": [{"text": text}]}


CALL: Fields = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
ANSWER: Fields = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
DECLARED: Fields = {"tools": [{"functionDeclarations": [{"name": "f"}]}]}


def thinking(**config: Any) -> Fields:
    return {"contents": [user()], "generationConfig": {"thinkingConfig": config}}


def generating(**config: Any) -> Fields:
    return {"contents": [user()], "generationConfig": config}


def calling(**config: Any) -> Fields:
    return {"contents": [user()], **DECLARED, "toolConfig": {"functionCallingConfig": config}}


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        ("gemini-3", {}, "contents is not specified"),
        ("gemini-3", {"contents": [user()], "messages": []}, 'Unknown name "messages"'),
        ("gemini-3", {"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, "valid role"),
        ("gemini-3", {"contents": [{"role": "user", "parts": []}]}, "at least one parts field"),
        ("gemini-2.5-flash", {"contents": [CALL, ANSWER]}, "function call turn comes immediately"),
        ("gemini-2.5-flash", {"contents": [user(), ANSWER]}, "function response turn comes immediately"),
        ("gemini-2.5-flash", {"contents": [user(), CALL]}, "number of function response parts"),
        ("gemini-2.5-flash", {"contents": [user(), CALL, user()]}, "number of function response parts"),
        (
            "gemini-2.5-flash",
            {"contents": [user(), CALL, {"role": "user", "parts": ANSWER["parts"] * 2}]},
            "number of function response parts",
        ),
        (
            "gemini-2.5-flash",
            {"contents": [user(), CALL, {"role": "user", "parts": [{"functionResponse": {"name": "g"}}]}]},
            "name of a function response",
        ),
        ("gemini-3", {"contents": [user(), CALL, ANSWER]}, "missing a thought_signature"),
        (
            "gemini-3",
            {
                "contents": [
                    user(),
                    {"role": "model", "parts": [{**CALL["parts"][0], "thoughtSignature": "AbCd"}]},
                    ANSWER,
                ]
            },
            "Corrupted thought signature",
        ),
        (
            MODEL,
            {"contents": [user(), {"role": "model", "parts": [{"text": "x"}]}]},
            "ending with a model turn",
        ),
        ("gemini-3", thinking(thinkingBudget=1, thinkingLevel="LOW"), "only one of"),
        ("gemini-2.0-flash", thinking(includeThoughts=True), "not enabled"),
        ("gemini-2.5-flash", thinking(thinkingLevel="LOW"), "level is not supported"),
        (MODEL, thinking(thinkingLevel="MINIMAL"), "MINIMAL is not supported"),
        ("gemini-2.5-pro", thinking(thinkingBudget=0), "Budget 0 is invalid"),
        (MODEL, generating(candidateCount=2), "Multiple candidates"),
        (MODEL, generating(responseJsonSchema={}, responseSchema={}), "cannot be set together"),
        (MODEL, generating(responseJsonSchema={}), "response mime type"),
        (MODEL, {"contents": [user()], "cachedContent": "c", **DECLARED}, "CachedContent can not be used"),
        (
            MODEL,
            {
                "contents": [user()],
                "tools": [{"functionDeclarations": [{"parameters": {}, "parametersJsonSchema": {}}]}],
            },
            "cannot be set together",
        ),
        (MODEL, {**calling(mode="ANY"), "tools": []}, "without function_declarations"),
        (MODEL, calling(mode="AUTO", allowedFunctionNames=["f"]), "only when"),
        (MODEL, calling(mode="ANY", allowedFunctionNames=["g"]), "not among"),
        ("gemini-2.5-flash", {**generating(responseMimeType="application/json"), **DECLARED}, "mime type"),
    ],
)
def test_what_google_refuses(simulator: Simulator, model: str, body: Fields, message: str) -> None:
    url = f"{simulator.root}/v1beta/models/{model}:generateContent"
    answer = httpx.post(url, json=body, headers={"x-goog-api-key": "key"})
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_without_sse_a_stream_is_an_array(simulator: Simulator) -> None:
    url = f"{simulator.root}/v1beta/models/gemini-2.0-echo:streamGenerateContent"
    answer = httpx.post(url, json={"contents": [user("One two")]}, headers={"x-goog-api-key": "key"})
    assert [event["candidates"][0]["content"]["parts"][0]["text"] for event in answer.json()] == [
        "One",
        " two",
        "",
    ]


def router_for(simulator: Simulator, key: str = "key") -> Router:
    provider = {"preset": "gemini", "base_url": simulator.root, "api_key": key}
    retry = {"attempts": 1, "base": "1ms"}
    return Router({"providers": {"p": provider}, "defaults": {"retry": retry}}, env={})


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_the_router_asks_and_answers(anyio_backend: str, stream: bool) -> None:
    async with Simulator(REPLIES, api_key="key") as simulator, router_for(simulator) as router:
        messages: list[Any] = [{"role": "user", "content": "Weather?"}]
        given: Fields = {"model": "p/gemini-3-calls", "tools": [TOOL]}

        async def ask() -> Any:
            if not stream:
                return await router.complete({**given, "messages": messages})
            async with router.stream({**given, "messages": messages}) as answer:
                async for _ in answer:
                    pass
                return answer.response

        first = await ask()
        assert (first.reasoning, first.finish_reason) == ("look", "tool_calls")
        assert [call.arguments for call in first.tool_calls] == ['{"city": "Oslo"}'] * 2
        messages.append(first.message.as_message())
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": "4 degrees"} for call in first.tool_calls
        ]
        second = await ask()
        assert second.text == "Four degrees"
        assert second.usage.prompt_tokens > 0
        sent = simulator.requests[-1].body["contents"][1]["parts"]
        assert sent[0]["thoughtSignature"]
        assert [part["functionCall"]["id"] for part in sent] == [call.id for call in first.tool_calls]


@pytest.mark.anyio
async def test_the_router_reads_errors_and_models(anyio_backend: str) -> None:
    async with Simulator(REPLIES, api_key="key") as simulator:
        async with router_for(simulator, "wrong") as router:
            with pytest.raises(AuthenticationError):
                await router.complete({"model": f"p/{MODEL}", "messages": [{"role": "user", "content": "x"}]})
        async with router_for(simulator) as router:
            said = {"role": "user", "content": "x"}
            answer = await router.complete({"model": "p/gemini-3-filtered", "messages": [said]})
            assert (answer.text, answer.finish_reason) == ("Half", "content_filter")
            with pytest.raises(BadRequestError):
                extra = {
                    "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}}
                }
                await router.complete({"model": f"p/{MODEL}", "messages": [said], **extra})


class TestScripts:
    """What a script may ask of the wire."""

    BODY: Fields = {"contents": [user("One two")]}

    def asked(
        self, simulator: Simulator, *replies: Reply, method: str = "generateContent", **more: Any
    ) -> Any:
        simulator.script("gemini-2.0-x", *replies)
        url = f"{simulator.root}/v1beta/models/gemini-2.0-x:{method}"
        return httpx.post(url, json={**self.BODY, **more}, headers={"x-goog-api-key": "key"})

    def test_counts(self, simulator: Simulator) -> None:
        assert "usageMetadata" not in self.asked(simulator, Reply(usage="missing")).json()
        given = {"promptTokenCount": 7}
        assert self.asked(simulator, Reply(usage=given)).json()["usageMetadata"] == given
        stream = self.asked(simulator, Reply(usage=given), method="streamGenerateContent?alt=sse").text
        assert stream.count("usageMetadata") == 1

    def test_several_candidates(self, simulator: Simulator) -> None:
        answer = self.asked(simulator, Reply(), generationConfig={"candidateCount": 2}).json()
        assert [candidate["index"] for candidate in answer["candidates"]] == [0, 1]

    def test_faults(self, simulator: Simulator) -> None:
        streaming = "streamGenerateContent?alt=sse"
        broken = self.asked(simulator, Reply(malformed_event=0), method=streaming).text
        assert broken.startswith('data: {"candidates"')
        failed = self.asked(
            simulator, Reply(error_in_200=True, error={"status": "ABORTED"}), method=streaming
        )
        assert '"ABORTED"' in failed.text
        endless = self.asked(simulator, Reply(text="x", finish_reason=None), method=streaming).text
        assert "finishReason" not in endless

    def test_thoughts_that_nobody_wants(self, simulator: Simulator) -> None:
        simulator.script("gemini-2.5-flash", Reply(text="x", reasoning="a b"))
        url = f"{simulator.root}/v1beta/models/gemini-2.5-flash:generateContent"
        off = {"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": True}}
        body = {**self.BODY, "generationConfig": off}
        answer = httpx.post(url, json=body, headers={"x-goog-api-key": "key"}).json()
        assert answer["candidates"][0]["content"]["parts"] == [{"text": "x"}]
        assert "thoughtsTokenCount" not in answer["usageMetadata"]

    def test_an_echo_of_nothing(self, simulator: Simulator) -> None:
        url = f"{simulator.root}/v1beta/models/gemini-2.0-echo:generateContent"
        image = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
        said = {"contents": [user("Hi"), {"role": "model", "parts": [{"text": "Yes"}]}]}
        for contents, echo in ((said["contents"], "Hi"), ([{"role": "user", "parts": [image]}], "Hello")):
            answer = httpx.post(url, json={"contents": contents}, headers={"x-goog-api-key": "key"}).json()
            assert answer["candidates"][0]["content"]["parts"] == [{"text": echo}]
