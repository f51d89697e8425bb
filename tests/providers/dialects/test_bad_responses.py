"""A gallery of answers that are none. Whole or streamed, each ends in a typed error and never in a bare exception."""

# ruff: noqa: E501 - a table reads best with one case a line

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatChunk, ChatCompletion, Message
from turnout.providers.dialect import Target
from turnout.providers.dialects.openai_decoding import OpenAIDecoder, decode_body
from turnout.providers.errors import ProviderError

REQUEST = ChatCompletion(model="m", messages=[Message.user("Hello")])
DEEP = "[" * 200_000


def target(preset: str = "openai-compatible") -> Target:
    return Target("house", "m", catalogue()[preset], "https://llm.example/v1", SecretStr("sk-test-123456"))


def run(pieces: list[bytes], to: Target) -> list[ChatChunk]:
    decoder = OpenAIDecoder(REQUEST, to)
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    return chunks + list(decoder.close())


def message(**fields: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "choices": [{"index": 0, "message": {"content": "Hi", **fields}, "finish_reason": "stop"}],
    }


def choice(**fields: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop", **fields}],
    }


def around(**fields: Any) -> dict[str, Any]:
    return {**choice(), **fields}


def called(**fields: Any) -> dict[str, Any]:
    return message(
        tool_calls=[{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, **fields}]
    )


SHAPES: dict[str, tuple[Any, str]] = {
    "choices null": ({"id": "c", "choices": None}, "malformed"),
    "choices missing": ({"id": "c", "model": "m"}, "malformed"),
    "choices an object": ({"choices": {"0": {}}}, "malformed"),
    "choices a text": ({"choices": "none"}, "malformed"),
    "choices a number": ({"choices": 1}, "malformed"),
    "choices empty": ({"choices": []}, "empty"),
    "choice null": ({"choices": [None]}, "malformed"),
    "choice a text": ({"choices": ["Hi"]}, "malformed"),
    "choice a list": ({"choices": [[]]}, "malformed"),
    "message null": (choice(message=None), "malformed"),
    "message missing": ({"choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]}, "malformed"),
    "message a text": (choice(message="Hi"), "malformed"),
    "message a list": (choice(message=["Hi"]), "malformed"),
    "index a text": (choice(index="first"), "malformed"),
    "index negative": (choice(index=-1), "malformed"),
    "index true": (choice(index=True), "malformed"),
    "finish_reason a number": (choice(finish_reason=1), "malformed"),
    "finish_reason an object": (choice(finish_reason={"type": "stop"}), "malformed"),
    "finish_reason error": (choice(finish_reason="error"), "server"),
    "choice with an error": (choice(error={"code": 429, "message": "slow"}), "rate_limit"),
    "logprobs a text": (choice(logprobs="likely"), "malformed"),
    "logprobs content a number": (choice(logprobs={"content": 3}), "malformed"),
    "logprob a text": (choice(logprobs={"content": [{"token": "a", "logprob": "high"}]}), "malformed"),
    "content a number": (message(content=5), "malformed"),
    "content true": (message(content=True), "malformed"),
    "content an object": (message(content={"text": "Hi"}), "malformed"),
    "content a list of numbers": (message(content=[1, 2]), "malformed"),
    "refusal a list": (message(refusal=["no"]), "malformed"),
    "reasoning a number": (message(reasoning_content=7), "malformed"),
    "reasoning an object": (message(reasoning={"text": "x"}), "malformed"),
    "reasoning_details a text": (message(reasoning_details="x"), "malformed"),
    "reasoning_details of texts": (message(reasoning_details=["x"]), "malformed"),
    "tool_calls an object": (message(tool_calls={"id": "a"}), "malformed"),
    "tool_calls a text": (message(tool_calls="f()"), "malformed"),
    "tool_calls of nulls": (message(tool_calls=[None]), "malformed"),
    "function a number": (called(function=3), "malformed"),
    "function name a list": (called(function={"name": ["f"]}), "malformed"),
    "arguments a number": (called(function={"name": "f", "arguments": 3}), "malformed"),
    "tool index a text": (called(index="0"), "malformed"),
    "tool index negative": (called(index=-2), "malformed"),
    "tool type a number": (called(type=4), "malformed"),
    "function_call a number": (message(content=None, function_call=3), "malformed"),
    "annotations a text": (message(annotations="a"), "malformed"),
    "audio a text": (message(audio="UklGRg=="), "malformed"),
    "usage a text": (around(usage="many"), "malformed"),
    "usage a list": (around(usage=[1, 2]), "malformed"),
    "usage of texts": (around(usage={"prompt_tokens": "nine", "completion_tokens": "1"}), "malformed"),
    "usage of lists": (around(usage={"prompt_tokens": [9]}), "malformed"),
    "usage of truths": (around(usage={"prompt_tokens": True}), "malformed"),
    "usage details a text": (around(usage={"prompt_tokens": 1, "prompt_tokens_details": "x"}), "malformed"),
    "usage details of texts": (around(usage={"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": "x"}}), "malformed"),
    "usage of a huge number": (around(usage={"prompt_tokens": 10**30, "completion_tokens": 1}), "malformed"),
    "created a text": (around(created="yesterday"), "malformed"),
    "created a huge number": (around(created=10**400), "malformed"),
    "created negative": (around(created=-5), "malformed"),
    "model a number": (around(model=4), "malformed"),
    "model an object": (around(model={"id": "m"}), "malformed"),
    "fingerprint a list": (around(system_fingerprint=["fp"]), "malformed"),
    "error an object": ({"error": {"message": "no"}}, "server"),
    "error a text": ({"error": "no"}, "server"),
    "error a list": ({"error": [{"message": "no"}]}, "server"),
    "error a number": ({"error": 7}, "server"),
    "error beside choices": (around(error={"code": 402, "message": "pay"}), "quota"),
    "flat error": ({"object": "error", "message": "no", "code": 404}, "not_found"),
    "detail": ({"detail": "Not Found"}, "server"),
    "only a message": ({"message": "Forbidden"}, "server"),
    "soft error": ({"base_resp": {"status_code": 1000, "status_msg": "unknown"}, "choices": None}, "server"),
    "soft error of another shape": ({"base_resp": {"status_code": [1]}, "choices": []}, "server"),
    "a list": ([choice()], "malformed"),
    "a list with an error": ([{"error": {"message": "no", "code": 401}}], "authentication"),
    "an empty list": ([], "malformed"),
    "a text": ("Hi", "malformed"),
    "a number": (42, "malformed"),
    "null": (None, "malformed"),
    "true": (True, "malformed"),
    "an empty object": ({}, "malformed"),
}  # fmt: skip

BYTES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "white space": (b" \n\n \r\n", "empty"),
    "cut JSON": (b'{"id":"c","choices":[{"index":0,"message":{"content":"Hi', "malformed"),
    "two bodies": (b'{"choices":[]}{"choices":[]}', "malformed"),
    "a bad gateway's page": (b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", "malformed"),
    "an XML error": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "malformed"),
    "plain text": (b"upstream connect error or disconnect/reset before headers", "malformed"),
    "a word that looks like a field": (b"error: no healthy upstream", "malformed"),
    "bytes that are not UTF-8": (b'{"choices":[{"message":{"content":"\xff\xfe"},"finish_reason":"stop"}]}', "malformed"),
    "zero bytes": (b"\0\0\0\0", "malformed"),
    "a gzip body": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "malformed"),
    "NaN": (b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":NaN}}', "malformed"),
    "Infinity": (b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"created":-Infinity}', "malformed"),
    "a float out of range": (b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"created":1e999}', "malformed"),
    "a number of 5000 digits": (b'{"choices":[],"created":' + b"9" * 5000 + b"}", "malformed"),
    "nested too deep": (DEEP.encode(), "malformed"),
    "objects nested too deep": (b'{"a":' * 100_000, "malformed"),
    "nested too deep inside an answer": (b'{"choices":' + DEEP.encode(), "malformed"),
    "single quotes": (b"{'choices': []}", "malformed"),
    "JSON with a comment": (b'{"choices":[] /* none */}', "malformed"),
    "an event stream that is cut": (b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n', "interrupted"),
    "an event stream of nothing": (b": ping\n\n: ping\n\n", "empty"),
    "an event stream of garbage": (b"data: }{\n\n", "malformed"),
}  # fmt: skip


def as_event(value: Any) -> bytes:
    """The same mistake as one event of a stream: what a whole answer calls message is a delta there."""
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        value = {**value, "choices": [_as_delta(one) for one in value["choices"]]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _as_delta(one: Any) -> Any:
    if not isinstance(one, dict):
        return one
    return {("delta" if name == "message" else name): value for name, value in one.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_whole_answers_of_a_wrong_shape(name: str) -> None:
    value, kind = SHAPES[name]
    with pytest.raises(ProviderError) as caught:
        decode_body(json.dumps(value).encode(), REQUEST, target())
    assert caught.value.kind == kind
    assert caught.value.provider == "house"


# a chunk may come without choices; then it is the answer's end that is missing
ENDLESS = {"choices null", "choices missing", "choices empty", "an empty object"}
# the last chunk may come without a delta
COMPLETE = {"message null", "message missing"}


@pytest.mark.parametrize("name", sorted(SHAPES.keys() - COMPLETE))
def test_streams_of_a_wrong_shape(name: str) -> None:
    value, kind = SHAPES[name]
    with pytest.raises(ProviderError) as caught:
        run([as_event(value)], target())
    assert caught.value.kind == ("interrupted" if name in ENDLESS else kind)


@pytest.mark.parametrize("name", SHAPES)
def test_whole_answers_of_a_wrong_shape_instead_of_a_stream(name: str) -> None:
    value, kind = SHAPES[name]
    with pytest.raises(ProviderError) as caught:
        run([json.dumps(value).encode()], target())
    assert caught.value.kind == kind


@pytest.mark.parametrize("name", BYTES)
def test_whole_bytes(name: str) -> None:
    body, kind = BYTES[name]
    with pytest.raises(ProviderError) as caught:
        decode_body(body, REQUEST, target())
    assert caught.value.kind == kind
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", BYTES)
def test_bytes_instead_of_a_stream(name: str) -> None:
    body, kind = BYTES[name]
    with pytest.raises(ProviderError) as caught:
        run([body], target())
    assert caught.value.kind == kind
    with pytest.raises(ProviderError) as caught:
        run([body[:3], body[3:7], body[7:]], target())
    assert caught.value.kind == kind


@pytest.mark.parametrize("name", BYTES)
def test_bytes_as_an_event(name: str) -> None:
    body, _ = BYTES[name]
    with pytest.raises(ProviderError):
        run([b"data: " + body + b"\n\n"], target())


GOOD = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'


@pytest.mark.parametrize(
    ("behind", "kind"),
    [
        (b"", "interrupted"),
        (b"data: ", "interrupted"),
        (b'data: {"id":"c","choi', "interrupted"),
        (b"data: \xe6\x97", "interrupted"),
        (b"data: not JSON\n\n", "malformed"),
        (b"data: \xff\xff\n\n", "malformed"),
        (b"data: [1,2]\n\n", "malformed"),
        (b"data: 5\n\n", "malformed"),
        (b"data: " + DEEP.encode() + b"\n\n", "malformed"),
        (b"event: error\ndata: out of memory\n\n", "server"),
        (b'event: error\ndata: {"message":"slow","code":429}\n\n', "rate_limit"),
        (b'{"error":{"message":"slow down","code":429}}\n', "rate_limit"),
        (b"Internal Server Error\n", "interrupted"),
        (b'data: {"choices":[{"index":0,"delta":{"content":3}}]}\n\n', "malformed"),
        (b'data: {"error":{"message":"no"},"choices":"broken"}\n\n', "server"),
        (b'data: {"error":{"message":"no"},"choices":["broken"]}\n\n', "server"),
    ],
)
def test_what_can_go_wrong_behind_a_good_chunk(behind: bytes, kind: str) -> None:
    decoder = OpenAIDecoder(REQUEST, target())
    feed = decoder.feed(GOOD + behind)
    assert next(feed).text == "Hi"
    with pytest.raises(ProviderError) as caught:
        _ = [*feed, *decoder.close()]
    assert caught.value.kind == kind


def test_an_error_beside_text_lets_the_text_through() -> None:
    decoder = OpenAIDecoder(REQUEST, target())
    wire = b'data: {"id":"c","error":{"code":502,"message":"lost"},"choices":[{"delta":{"content":"Hi"},"finish_reason":"error"}]}\n\n'
    feed = decoder.feed(wire)
    assert next(feed).text == "Hi"
    with pytest.raises(ProviderError, match="lost"):
        next(feed)


def test_no_message_quotes_what_the_model_said() -> None:
    for body in (
        b'{"choices":[{"message":{"content":"a secret plan',
        b'{"choices":[{"message":{"content":["a secret plan",5]}}]}',
    ):
        with pytest.raises(ProviderError) as caught:
            decode_body(body, REQUEST, target())
        assert "secret plan" not in str(caught.value)
        with pytest.raises(ProviderError) as caught:
            run([b"data: " + body + b"\n\n"], target())
        assert "secret plan" not in str(caught.value)


FIELDS = [
    "id", "object", "created", "model", "choices", "index", "message", "delta", "content", "role", "reasoning", "type",
    "reasoning_content", "thinking", "reasoning_details", "text", "tool_calls", "function", "function_call", "name",
    "arguments", "finish_reason", "logprobs", "usage", "prompt_tokens", "completion_tokens", "total_tokens", "error",
    "prompt_tokens_details", "cached_tokens", "cost", "trace", "metadata", "provider", "timings", "x_groq", "base_resp",
    "status_code", "audio", "annotations", "refusal", "responseStatus", "native_finish_reason", "custom",
]  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
    | st.sampled_from(["stop", "error", "text", "thinking", "function", "<think>"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=10,
)  # fmt: skip
plausible = st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "delta": anything,
                    "message": anything,
                    "finish_reason": anything,
                    "index": anything,
                },
            ),
            max_size=2,
        )
    },
    optional={
        "usage": anything,
        "error": anything,
        "timings": anything,
        "metadata": anything,
        "cost": anything,
    },
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(anything | plausible, min_size=1, max_size=3),
    st.sampled_from(["openai-compatible", "openrouter", "xai"]),
)
def test_no_json_breaks_the_decoder(values: list[Any], preset: str) -> None:
    to = target(preset)
    bodies = [json.dumps(value).encode() for value in values]
    wire = b"".join(b"data: " + body + b"\n\n" for body in bodies) + b"data: [DONE]\n\n"
    for attempt in (
        lambda: decode_body(bodies[0], REQUEST, to),
        lambda: run([wire], to),
        lambda: run([wire[:-14]], to),
    ):
        try:
            attempt()
        except ProviderError as error:
            assert str(error)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.binary(max_size=30) | st.sampled_from([GOOD, b"data: ", b"\n\n", b"data: [DONE]\n\n", b": x\r\n"])
    )
)
def test_no_bytes_break_the_decoder(pieces: list[bytes]) -> None:
    for attempt in (lambda: run(pieces, target()), lambda: decode_body(b"".join(pieces), REQUEST, target())):
        try:
            attempt()
        except ProviderError as error:
            assert str(error)
