"""What hosts answer, whole and streamed, becomes one shape; each folder of fixtures/openai is one of them.

`response.json` is a whole body, `response.sse` a stream, and `expected.json` says what both must hold: the
fields of the response, or the error with the text that came before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatChunk, ChatCompletion, ChatResponse, Message
from turnout.providers.dialect import Target
from turnout.providers.dialects.openai_decoding import OpenAIDecoder, decode_body
from turnout.providers.errors import (
    EmptyResponseError,
    MalformedResponseError,
    ProviderError,
    StreamInterruptedError,
)
from turnout.providers.folding import fold

FIXTURES = Path(__file__).parents[2] / "fixtures" / "openai"
CASES = sorted(path.name for path in FIXTURES.iterdir())
WHOLE = [name for name in CASES if (FIXTURES / name / "response.json").exists()]
STREAMED = [name for name in CASES if (FIXTURES / name / "response.sse").exists()]
REQUEST = ChatCompletion(model="m", messages=[Message.user("Hello")])


def target(preset: str = "openai-compatible", **fields: Any) -> Target:
    return Target(
        "house", "m", catalogue()[preset], "https://llm.example/v1", SecretStr("sk-test-123456"), **fields
    )


def streamed(pieces: Iterable[bytes], to: Target) -> tuple[list[ChatChunk], ProviderError | None]:
    """The chunks of a stream, and the error that ended it."""
    decoder, chunks = OpenAIDecoder(REQUEST, to), []

    def run() -> Iterator[ChatChunk]:
        for piece in pieces:
            yield from decoder.feed(piece)
        yield from decoder.close()

    try:
        for chunk in run():
            chunks.append(chunk)  # noqa: PERF402 - the chunks before an error count
    except ProviderError as error:
        return chunks, error
    return chunks, None


def expected(case: str) -> dict[str, Any]:
    return json.loads((FIXTURES / case / "expected.json").read_text("utf-8"))  # type: ignore[no-any-return]


def assert_holds(have: Any, want: Any, path: str = "") -> None:
    """Every field of `want` is in `have`; lists must agree in length."""
    if isinstance(want, dict):
        assert isinstance(have, dict), path
        for name, value in want.items():
            assert_holds(have.get(name), value, f"{path}.{name}")
    elif isinstance(want, list):
        assert isinstance(have, list), path
        assert len(have) == len(want), path
        for place, (one, other) in enumerate(zip(have, want, strict=True)):
            assert_holds(one, other, f"{path}[{place}]")
    else:
        assert have == want, path


def assert_error(error: ProviderError | None, want: dict[str, Any]) -> None:
    assert error is not None
    assert error.provider == "house"
    assert error.kind == want["kind"]
    assert error.code == want.get("code", error.code)
    assert error.status == want.get("status", error.status)
    assert error.model_output == want.get("model_output", False)
    assert want.get("message", "") in error.message


@pytest.mark.parametrize("case", WHOLE)
def test_whole_bodies(case: str) -> None:
    want, body = expected(case), (FIXTURES / case / "response.json").read_bytes()
    if "error" in want:
        with pytest.raises(ProviderError) as caught:
            decode_body(body, REQUEST, target(want["preset"]))
        assert_error(caught.value, want["error"])
    else:
        response = decode_body(body, REQUEST, target(want["preset"]))
        assert_holds(response.wire(extensions=True), want["response"])
        assert response.id


@pytest.mark.parametrize("case", STREAMED)
def test_streams(case: str) -> None:
    want, wire = expected(case), (FIXTURES / case / "response.sse").read_bytes()
    chunks, error = streamed([wire], target(want["preset"]))
    response = fold(chunks)
    if "error" in want:
        assert_error(error, want["error"])
        assert want["error"].get("partial", response.text) == response.text
        return
    assert error is None
    assert_holds(response.wire(extensions=True), want["response"])
    assert len({chunk.id for chunk in chunks}) == 1
    if case in WHOLE:
        whole = decode_body((FIXTURES / case / "response.json").read_bytes(), REQUEST, target(want["preset"]))
        assert texts(whole) == texts(response)


@pytest.mark.parametrize("case", STREAMED)
def test_streams_cut_at_every_byte(case: str) -> None:
    want, wire = expected(case), (FIXTURES / case / "response.sse").read_bytes()
    to = target(want["preset"])
    chunks, error = streamed([wire], to)
    once = outcome(chunks, error)
    pieces = [wire[i : i + 1] for i in range(len(wire))]
    assert outcome(*streamed(pieces, to)) == once
    for cut in range(len(wire)):
        assert outcome(*streamed([wire[:cut], wire[cut:]], to)) == once


@pytest.mark.parametrize("case", STREAMED)
def test_line_endings_and_comments_change_nothing(case: str) -> None:
    want, wire = expected(case), (FIXTURES / case / "response.sse").read_bytes()
    if not wire.startswith(b"{"):
        to = target(want["preset"])
        once = outcome(*streamed([wire], to))
        assert outcome(*streamed([wire.replace(b"\n", b"\r\n")], to)) == once
        assert outcome(*streamed([b"\xef\xbb\xbf" + wire.replace(b"\n", b"\r")], to)) == once
        assert outcome(*streamed([b": hello\n\n" + wire.replace(b"\n\n", b"\n\n: ping\n\n")], to)) == once


def texts(response: ChatResponse) -> Any:
    """What was said and what it took, without ids that were made because there were none."""
    return [
        (
            choice.index,
            choice.finish_reason,
            choice.message.content or "",
            choice.message.reasoning,
            choice.message.refusal,
            [(call.name, call.arguments) for call in choice.message.tool_calls or []],
            choice.logprobs and choice.logprobs.wire(),
        )
        for choice in response.choices
    ]


def outcome(chunks: list[ChatChunk], error: ProviderError | None) -> Any:
    """All that must not depend on how the bytes were cut; ids that were made are left out."""
    wires = [chunk.wire(extensions=True) for chunk in chunks]
    made = [
        wire.pop("id") for wire in wires if str(wire["id"]).startswith("chatcmpl-") and len(wire["id"]) > 30
    ]
    calls = json.dumps(wires) if not made else ""
    return len(wires), wires if not made else fold(chunks).text, calls, type(error), error and error.message


def test_chunks_come_before_the_error_behind_them() -> None:
    wire = (FIXTURES / "openai-stream-error" / "response.sse").read_bytes()
    feed = OpenAIDecoder(REQUEST, target()).feed(wire)
    assert next(feed).text == "Par"
    with pytest.raises(ProviderError, match="had an error"):
        next(feed)


def test_the_providers_own_host_behind_a_router_moves_aside() -> None:
    body = (
        b'{"id":"g","provider":"Anthropic","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'
    )
    response = decode_body(body, REQUEST, target("openrouter"))
    assert response.provider == "house"
    assert response.model == "m"
    assert response.wire()["upstream_provider"] == "Anthropic"


def test_the_requests_metadata_is_given_back() -> None:
    body = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'
    request = REQUEST.model_copy(update={"metadata": {"team": "search"}})
    assert decode_body(body, request, target()).metadata == {"team": "search"}


def test_an_event_stream_that_nobody_asked_for_is_folded() -> None:
    wire = (FIXTURES / "openai-text" / "response.sse").read_bytes()
    assert decode_body(wire, REQUEST, target("openai")).text == "Hello, 世界!"
    with pytest.raises(StreamInterruptedError):
        decode_body(wire[: wire.index(b"\n\n") + 2], REQUEST, target("openai"))


def test_calls_without_ids_get_the_same_ones_each_time() -> None:
    body = (FIXTURES / "tools-object-arguments" / "response.json").read_bytes()
    stream = (FIXTURES / "tools-object-arguments" / "response.sse").read_bytes()
    first, again = (decode_body(body, REQUEST, target()).tool_calls[0].id for _ in range(2))
    assert first == again == fold(streamed([stream], target())[0]).tool_calls[0].id
    assert first.startswith("call_")


def test_nothing_is_longer_than_the_target_allows() -> None:
    small = target(max_response_bytes=2000)
    body = b'{"choices":[{"message":{"content":"' + b"x" * 2000 + b'"}}]}'
    with pytest.raises(MalformedResponseError, match="longer than 2000 bytes"):
        decode_body(body, REQUEST, small)
    _, error = streamed([b"data: {}\n\n"] * 300, small)
    assert isinstance(error, MalformedResponseError)
    _, error = streamed([body[:1000]] * 3, small)
    assert isinstance(error, MalformedResponseError)


def test_a_closed_or_failed_decoder_says_nothing_more() -> None:
    decoder = OpenAIDecoder(REQUEST, target())
    with pytest.raises(EmptyResponseError):
        list(decoder.close())
    assert list(decoder.close()) == []
    assert list(decoder.feed(b"data: {}\n\n")) == []


word = st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=12)
some = st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1, max_size=20)
call = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": st.sampled_from(["a", "b", "weather"]), "arguments": word}
        ),
    }
)
message = st.fixed_dictionaries(
    {"content": some},
    optional={
        "reasoning_content": some,
        "refusal": some,
        "tool_calls": st.lists(call, min_size=1, max_size=3),
    },
)
counts = st.integers(0, 10**6)
usage = st.builds(
    lambda p, c, cached: {
        "prompt_tokens": p,
        "completion_tokens": c,
        "total_tokens": p + c,
        "prompt_tokens_details": {"cached_tokens": cached},
    },
    counts,
    counts,
    counts,
)
bodies = st.fixed_dictionaries(
    {
        "id": st.just("chatcmpl-1"),
        "object": st.just("chat.completion"),
        "created": st.integers(0, 2**40),
        "model": st.just("m-1"),
        "choices": st.lists(
            st.tuples(message, st.sampled_from(["stop", "length", "eos", "content_filter", "unheard-of"])),
            min_size=1,
            max_size=3,
        ).map(
            lambda said: [
                {"index": index, "message": {"role": "assistant", **one}, "finish_reason": reason}
                for index, (one, reason) in enumerate(said)
            ]
        ),
    },
    optional={"usage": usage, "system_fingerprint": word, "unknown": st.lists(counts, max_size=3)},
)


def pieces_of(text: str, data: st.DataObject) -> list[str]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def deltas_of(choice: dict[str, Any], data: st.DataObject) -> list[dict[str, Any]]:
    """One choice as deltas, its texts in pieces."""
    said: dict[str, Any] = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant"}]
    for name in ("reasoning_content", "content", "refusal"):
        deltas += [{name: piece} for piece in pieces_of(said.get(name, ""), data) if piece]
    for index, one in enumerate(said.get("tool_calls", ())):
        first, *rest = pieces_of(one["function"]["arguments"], data)
        function = {"name": one["function"]["name"], "arguments": first}
        deltas.append({"tool_calls": [{**one, "index": index, "function": function}]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in rest]
    return deltas


@settings(max_examples=60, deadline=None)
@given(bodies, st.data())
def test_folding_a_stream_gives_what_the_whole_body_gives(body: dict[str, Any], data: st.DataObject) -> None:
    queues = {
        choice["index"]: [
            *({"delta": delta, "finish_reason": None} for delta in deltas_of(choice, data)),
            {"delta": {}, "finish_reason": choice["finish_reason"]},
        ]
        for choice in body["choices"]
    }
    around = {key: value for key, value in body.items() if key not in {"choices", "usage"}}
    events = []
    while queues:
        index = data.draw(st.sampled_from(sorted(queues)))
        events.append({**around, "choices": [{"index": index, **queues[index].pop(0)}]})
        if not queues[index]:
            del queues[index]
    events.append({**around, "choices": [], "usage": body.get("usage")})
    wire = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"
    size = data.draw(st.integers(1, 200))
    chunks, error = streamed([wire[i : i + size] for i in range(0, len(wire), size)], target())
    assert error is None
    assert fold(chunks).wire() == decode_body(json.dumps(body).encode(), REQUEST, target()).wire()


def test_choices_that_are_all_numbered_zero_get_numbers_of_their_own() -> None:
    one = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}
    response = decode_body(json.dumps({"choices": [one, one]}).encode(), REQUEST, target())
    assert [choice.index for choice in response.choices] == [0, 1]


def test_what_a_host_says_under_our_names_moves_aside() -> None:
    body = {
        "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}],
        "cost": 5,
        "trace": "t",
        "metadata": {"n": 1},
    }
    response = decode_body(json.dumps(body).encode(), REQUEST, target())
    assert response.cost is None
    assert response.trace is None
    assert response.metadata is None
    assert_holds(response.wire(), {"native_cost": 5, "native_trace": "t", "native_metadata": {"n": 1}})


def test_held_back_text_is_not_lost_when_a_stream_is_cut() -> None:
    wire = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"<thi"}}]}\n\n'
    chunks, error = streamed([wire], target())
    assert fold(chunks).text == "<thi"
    assert isinstance(error, StreamInterruptedError)
    chunks, error = streamed([wire, b"data: [DONE]"], target())
    assert error is None
    assert fold(chunks).wire()["choices"][0]["finish_reason_inferred"] is True


def test_lines_that_are_no_events_still_tell_the_error() -> None:
    _, error = streamed([b': hello\n{"error":{"message":"slow","code":429}}\n'], target())
    assert error is not None
    assert error.kind == "rate_limit"
