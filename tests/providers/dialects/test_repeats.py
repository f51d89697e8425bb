"""Events that repeat another are read by its pattern, and are the same as those read one by one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatCompletion, Message, Record
from turnout.providers.dialect import Target
from turnout.providers.dialects.envelope import load
from turnout.providers.dialects.openai_decoding import OpenAIDecoder, decode_body
from turnout.providers.dialects.repeats import repeat_of
from turnout.providers.errors import ProviderError
from turnout.providers.folding import Fold

FIXTURES = Path(__file__).parents[2] / "fixtures" / "openai"
WHOLE = sorted(FIXTURES.glob("*/response.json"))
STREAMED = sorted(FIXTURES.glob("*/response.sse"))
REQUEST = ChatCompletion(model="m", messages=[Message.user("Hello")])
BOM = b"\xef\xbb\xbf"
MADE_ID = re.compile(r"chatcmpl-[0-9a-f]{32}")
"""The id of an answer that came without one, which is another each time."""


def target(preset: str = "openai-compatible") -> Target:
    return Target("house", "m", catalogue()[preset], "https://llm.example/v1", SecretStr("sk-test-123456"))


def state(value: Any) -> Any:
    """All that records hold, in its order."""
    if isinstance(value, Record):
        held = [(name, state(item)) for name, item in value.__dict__.items()]
        return [type(value), held, value.model_fields_set, state(value.model_extra)]
    if isinstance(value, dict):
        return {name: state(item) for name, item in value.items()}
    if isinstance(value, str):
        return MADE_ID.sub("made", value)
    return [state(item) for item in value] if isinstance(value, list) else value


def whole(body: bytes, to: Target) -> Any:
    try:
        answer = decode_body(body, REQUEST, to)
    except ProviderError as error:
        return [type(error), str(error)]
    return [state(answer), state(answer.wire(extensions=True))]


def streamed(pieces: list[bytes], to: Target) -> Any:
    """All chunks of a stream, what they fold to, and the error that ended it."""
    decoder, chunks, fold = OpenAIDecoder(REQUEST, to), [], Fold()
    error = None
    try:
        for piece in [*pieces, None]:
            for chunk in decoder.close() if piece is None else decoder.feed(piece):
                chunks.append([state(chunk), state(chunk.wire()), chunk.is_semantic])
                fold.add(chunk)
    except ProviderError as failure:
        error = [type(failure), str(failure)]
    return [chunks, state(fold.response().wire()), error]


def with_care(stream: bytes) -> bytes:
    """The same stream, each event with a type, so that it is read and validated one by one."""
    events = stream.replace(b"\r\n", b"\n").split(b"\n\n")
    return b"\n\n".join(b"event: x\n" + event if event.startswith(b"data") else event for event in events)


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("preset", ["openai-compatible", "openai"])
def test_fixtures_are_the_same_with_a_byte_order_mark(path: Path, preset: str) -> None:
    body, to = path.read_bytes(), target(preset)
    assert whole(body, to) == whole(BOM + body, to)  # which leads to the patient parser


@pytest.mark.parametrize("path", STREAMED, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("preset", ["openai-compatible", "openai"])
def test_fixtures_are_the_same_in_one_piece_and_with_care(path: Path, preset: str) -> None:
    stream, to = path.read_bytes(), target(preset)
    if b"event:" not in stream:
        have, want = streamed([stream], to), streamed([with_care(stream)], to)
        assert have == want
        assert streamed([stream[place : place + 7] for place in range(0, len(stream), 7)], to) == want


TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\n\t<think>'), max_size=6)
SCALAR: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-1, 5) | st.floats(-1, 2) | TEXT | st.just([]) | st.just({})
)
USAGE = st.fixed_dictionaries(
    {}, optional={
        "prompt_tokens": st.integers(0, 5) | SCALAR,
        "completion_tokens": st.integers(0, 5) | SCALAR,
        "total_tokens": st.integers(0, 10) | SCALAR,
        "prompt_tokens_details": st.dictionaries(
            st.sampled_from(["cached_tokens", "audio_tokens", "x"]), st.integers(0, 3) | SCALAR, max_size=2
        ) | SCALAR,
        "completion_tokens_details": st.just({"reasoning_tokens": 1}) | SCALAR,
        "cost": SCALAR,
    },
)  # fmt: skip
CALL = st.fixed_dictionaries(
    {}, optional={
        "index": st.integers(0, 1) | SCALAR,
        "id": st.sampled_from(["a", "b"]) | SCALAR,
        "type": st.just("function") | SCALAR,
        "function": st.fixed_dictionaries(
            {}, optional={"name": TEXT, "arguments": TEXT | SCALAR, "x": SCALAR}
        ),
        "x": SCALAR,
    },
)  # fmt: skip
PART = st.fixed_dictionaries(
    {}, optional={
        "role": st.just("assistant") | SCALAR,
        "content": TEXT | SCALAR,
        "refusal": st.none() | SCALAR,
        "reasoning_content": TEXT | SCALAR,
        "reasoning": TEXT | SCALAR,
        "tool_calls": st.lists(CALL, max_size=2) | SCALAR,
        "annotations": st.just([]) | SCALAR,
        "reasoning_details": st.just([{"text": "t"}]) | SCALAR,
        "function_call": SCALAR,
        "audio": SCALAR,
        "x": SCALAR,
    },
)  # fmt: skip


def envelopes(name: str) -> st.SearchStrategy[dict[str, Any]]:
    choice = st.fixed_dictionaries(
        {name: PART}, optional={
            "index": st.integers(0, 1) | SCALAR,
            "finish_reason": st.none() | st.sampled_from(["stop", "length", "tool_use", "odd"]) | SCALAR,
            "logprobs": st.none() | SCALAR | st.just({"content": [{"token": "a", "logprob": -1}]}),
            "x": SCALAR,
        },
    )  # fmt: skip
    return st.fixed_dictionaries(
        {
            "id": st.sampled_from(["c1", 7]),  # ids of calls are made of it
            "choices": st.lists(choice, min_size=1, max_size=2),
        },
        optional={
            "created": st.just(7) | SCALAR,
            "model": st.just("m") | SCALAR,
            "object": SCALAR,
            "usage": USAGE | SCALAR,
            "service_tier": SCALAR,
            "system_fingerprint": SCALAR,
            "provider": SCALAR,
            "metadata": SCALAR | st.just({"a": "b"}),
            "obfuscation": TEXT,
            "timings": st.just({"prompt_n": 1, "predicted_n": 2}),
            "x": SCALAR,
        },
    )  # fmt: skip


@settings(max_examples=200)
@given(payload=envelopes("message"))
def test_any_whole_answer_is_the_same_with_a_byte_order_mark(payload: dict[str, Any]) -> None:
    body = json.dumps(payload, ensure_ascii=False).encode()
    assert whole(body, target()) == whole(BOM + body, target())


@settings(max_examples=120)
@given(payloads=st.lists(envelopes("delta"), max_size=3), repeated=st.integers(1, 3))
def test_any_stream_is_the_same_at_once_and_with_care(payloads: list[dict[str, Any]], repeated: int) -> None:
    events = [{"id": "c1", "choices": [{"delta": {"role": "assistant"}}]}, *payloads * repeated]
    stream = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"
    assert streamed([stream], target()) == streamed([with_care(stream)], target())


@settings(max_examples=80)
@given(
    pieces=st.lists(TEXT, max_size=8),
    name=st.sampled_from(["content", "reasoning", "reasoning_content", "thinking", "arguments"]),
    padded=st.sampled_from(["", "before", "after"]),
    ascii_only=st.booleans(),
)
def test_repeats_are_the_same_at_once_and_with_care(
    pieces: list[str], name: str, padded: str, ascii_only: bool
) -> None:
    opened = {"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}
    events: list[dict[str, Any]] = [event({"role": "assistant", "content": None, "tool_calls": [opened]})]
    for place, piece in enumerate(pieces):
        delta = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        payload = event(delta if name == "arguments" else {name: piece}, service_tier="flex")
        padding = {"obfuscation": "abcdefg"[place % 7 :]} if padded else {}
        events.append({**padding, **payload} if padded == "before" else {**payload, **padding})
    events.append(event({}, finish="stop"))
    texts = [json.dumps(item, ensure_ascii=ascii_only, separators=(",", ":")) for item in events]
    stream = b"".join(f"data: {text}\n\n".encode() for text in texts)
    for to in (target("openai"), target()):
        assert streamed([stream], to) == streamed([with_care(stream)], to)
        assert streamed([stream.replace(b"\n", b"\r\n")], to) == streamed([with_care(stream)], to)


def event(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "created": 7, "model": "m", "choices": [choice], **fields}


def pattern(data: bytes) -> Any:
    """The pattern of an event on its own."""
    opening = json.dumps(event({"role": "assistant"})).encode()
    (_, chunk) = OpenAIDecoder(REQUEST, target("openai")).feed(b"data: %b\n\ndata: %b\n\n" % (opening, data))
    return repeat_of(data, chunk)


def test_a_pattern_fits_events_with_another_piece_only() -> None:
    data = json.dumps(event({"content": "one"})).encode()
    repeat = pattern(data)
    assert repeat(data.replace(b'"one"', b'"two \\u00e9\\n\\""')).text == 'two é\n"'
    for odd in (b'""', b"null", b'"a", "role": "b"', b'"a\x01"', b'"\xff"', b'"\\ud800"', b'"a\\"', b'"'):
        assert repeat(data.replace(b'"one"', odd)) is None, odd
    assert repeat(data[:-1]) is None
    assert repeat(b"") is None


def test_a_pattern_with_padding_has_two_places() -> None:
    for fields in ({"obfuscation": "xyz"}, {"p": 1, "obfuscation": "xyz"}):
        data = json.dumps({**event({"content": "one"}), **fields}).encode()
        repeat = pattern(data)
        assert repeat(data.replace(b'"one"', b'"two"').replace(b"xyz", b"z")).text == "two"
        assert repeat(data.replace(b'"xyz"', b"7")) is None
        assert repeat(data.replace(b'"xyz"', b'"xyz", "x": "y"')) is None
        assert repeat(data.replace(b'"one"', b'"one", "role": "x"')) is None


@pytest.mark.parametrize(
    "payload",
    [
        event({"content": "one"}, usage={"prompt_tokens": 1, "completion_tokens": 1}),
        event({"content": "one"}, model="one"),  # which of the two it is cannot be told
        event({"content": "one", "reasoning": "two"}),
        event({"content": "one"}, metadata={"a": "b"}),
        event({"content": [{"type": "text", "text": "one"}]}),
        event({"reasoning": "one", "thinking": "two"}),
        event({"content": "one"}, obfuscation="c1"),
        event({"content": "one"}, obfuscation=3),
        event({"refusal": "one"}),
        event({"content": "one"}, finish="stop"),
        event({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]}),
        {"id": "c1", "choices": []},
    ],
)
def test_other_events_have_no_pattern(payload: dict[str, Any]) -> None:
    assert pattern(json.dumps(payload).encode()) is None


def test_unknown_fields_of_a_repeat_are_its_own() -> None:
    repeat = pattern(json.dumps(event({"content": "one"}, x={"y": [{"z": 1}]})).encode())
    data = json.dumps(event({"content": "two"}, x={"y": [{"z": 1}]})).encode()
    one, other = repeat(data), repeat(data)
    one.x["y"][0]["z"] = 2
    assert other.x == {"y": [{"z": 1}]}


@pytest.mark.parametrize("odd", [b'"\\u006f\\u006ee"', b'"\\u002c"'])
def test_a_piece_whose_place_cannot_be_told_gives_no_pattern(odd: bytes) -> None:
    payload = {**event({"content": "@"}), "x": "one"}
    data = json.dumps(payload, separators=(",", ":")).encode().replace(b'"@"', odd)
    assert pattern(data) is None


LEAF: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)


@settings(max_examples=100)
@given(
    value=LEAF
    | st.lists(LEAF | st.dictionaries(TEXT, LEAF | st.lists(LEAF, max_size=2), max_size=3), max_size=3),
    ascii_only=st.booleans(),
)
def test_json_is_read_as_the_standard_library_reads_it(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert repr(load(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text", ['"\\ud800"', "-0", "1E400", "9" * 400, '{"a":1,"a":2}', " [1] \n", "-1e-400"]
)
def test_odd_json_is_read_as_the_standard_library_reads_it(text: str) -> None:
    assert repr(load(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "-Infinity", "01", "[1,]", '"\x01"', "", "\ufeff1", "{'a':1}"]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load(text)
