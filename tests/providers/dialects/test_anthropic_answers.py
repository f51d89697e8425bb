"""Anthropic's answers, odd ones too; and any answer says the same whole and streamed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from anthropic_requests import ANTHROPIC, FORMAT, NEW, REQUEST, Fields, at
from hypothesis import given
from hypothesis import strategies as st

from turnout.providers.chat import ChatCompletion, ChatResponse
from turnout.providers.errors import EmptyResponseError, MalformedResponseError, ProviderError
from turnout.providers.folding import fold


class TestModels:
    def test_the_list(self) -> None:
        asked = ANTHROPIC.models_request(at(""))
        assert asked.url == "https://host.example/v1/models?limit=1000"
        body = {"data": [{"type": "model", "id": "claude-opus-5-5", "created_at": "2026-09-22T00:00:00Z",
                          "max_tokens": 128000}, {"id": "claude-x"}], "has_more": False}  # fmt: skip
        first, second = ANTHROPIC.models(json.dumps(body).encode(), at("")).data
        assert (first.id, first.created, first.owned_by) == ("claude-opus-5-5", 1790035200, "anthropic")
        assert first.wire()["max_tokens"] == 128000
        assert second.created is None

    @pytest.mark.parametrize("body", [b"{}", b'{"data": [{}]}', b"x"])
    def test_what_is_no_list(self, body: bytes) -> None:
        with pytest.raises(MalformedResponseError):
            ANTHROPIC.models(body, at(""))


def decoded(body: Any, request: ChatCompletion = REQUEST) -> ChatResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ANTHROPIC.decode(raw, request, at(NEW))


class TestAnswers:
    @pytest.mark.parametrize("body", [b"[]", b"{}", b'{"choices": []}', b"<html>", b'{"content": 4}'])
    def test_what_is_no_message(self, body: bytes) -> None:
        with pytest.raises(MalformedResponseError):
            decoded(body)

    def test_nothing_at_all(self) -> None:
        with pytest.raises(EmptyResponseError):
            decoded(b"")

    def test_odd_shapes_are_read_all_the_same(self) -> None:
        body = {"content": [None, {}, {"type": "tool_use", "id": None, "name": None, "input": '{"a": 1}'},
                            {"type": "text", "text": None, "citations": [None, {"url": "u"}]},
                            {"type": "text", "text": "Hi", "citations": ["x", {"type": "odd"}]}],
                "usage": {"input_tokens": "many", "cache_creation": {"ephemeral_1h_input_tokens": 4}},
                }  # fmt: skip
        answer = decoded(body)
        message = answer.choices[0].message
        assert message.content == "Hi"
        assert message.tool_calls is not None
        assert message.tool_calls[0].arguments == '{"a": 1}'
        assert answer.choices[0].finish_reason == "tool_calls"
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (4, 0)
        assert decoded({"content": "Hi", "stop_reason": "end_turn"}).choices[0].message.content == "Hi"

    def test_a_stream_where_none_was_asked_for(self) -> None:
        events = streamed_events({"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"})
        assert decoded(events).choices[0].message.content == "Hi"

    def test_a_whole_answer_where_a_stream_was_asked_for(self) -> None:
        decoder = ANTHROPIC.decoder(REQUEST, at(NEW))
        body = json.dumps({"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"}).encode()
        chunks = [*decoder.feed(body[:9]), *decoder.feed(body[9:]), *decoder.close()]
        assert fold(chunks).choices[0].message.content == "Hi"

    @pytest.mark.parametrize(
        "body", [b"", b"no JSON", b"[1]", b'{"error": "down"}', b'{"error": {"details": {"error_code": 4}}}']
    )
    def test_any_body_of_an_error_is_read(self, body: bytes) -> None:
        failure = ANTHROPIC.error(500, {}, body, at(NEW))
        assert isinstance(failure, ProviderError)
        assert failure.kind == "server"


def streamed_events(message: Fields) -> bytes:
    """The message as the events of a stream, its texts and arguments in pieces of three characters."""
    events: list[Fields] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    ]
    for index, block in enumerate(message["content"]):
        empty = {**block, **{key: "" for key in ("text", "thinking", "signature") if key in block}}
        deltas: list[Fields] = []
        for key, kind in (("thinking", "thinking_delta"), ("text", "text_delta")):
            text = block.get(key, "")
            deltas += [{"type": kind, key: text[at : at + 3]} for at in range(0, len(text), 3)]
        if "signature" in block:
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        deltas += [{"type": "citations_delta", "citation": one} for one in empty.pop("citations", ())]
        if "input" in block:
            text = json.dumps(block["input"], ensure_ascii=False)
            deltas += [{"type": "input_json_delta", "partial_json": text[at : at + 3]}
                       for at in range(0, len(text), 3)]  # fmt: skip
            empty["input"] = {}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events += [{"type": "content_block_stop", "index": index}, {"type": "ping"}]
    ending = {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details") if key in message}
    events.append({"type": "message_delta", "delta": ending, "usage": message.get("usage")})
    events.append({"type": "message_stop"})
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events)


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
NAMES = st.sampled_from(["weather", "give_answer", "web_search"])
INPUTS = st.dictionaries(WORDS, WORDS | st.integers() | st.none(), max_size=2)
COUNTS = st.none() | st.integers(0, 5000)
CITATIONS = st.lists(
    st.builds(lambda url, text: {"type": "web_search_result_location", "url": url, "cited_text": text}, WORDS,
              WORDS), max_size=2)  # fmt: skip
BLOCKS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, WORDS),
    st.builds(lambda text, cited: {"type": "text", "text": text, "citations": cited}, WORDS, CITATIONS),
    st.builds(lambda text, sign: {"type": "thinking", "thinking": text, "signature": sign}, WORDS, WORDS),
    st.builds(lambda data: {"type": "redacted_thinking", "data": data}, WORDS),
    st.builds(
        lambda name, given: {"type": "tool_use", "id": "t_1", "name": name, "input": given}, NAMES, INPUTS,
    ),
    st.builds(
        lambda name, given: {"type": "server_tool_use", "id": "srvtoolu_1", "name": name, "input": given},
        NAMES, INPUTS,
    ),
    st.builds(lambda url: {"type": "web_search_tool_result", "content": [{"url": url}]}, WORDS),
    st.builds(lambda data: {"type": "hologram", "data": data}, WORDS),
)  # fmt: skip
MESSAGES = st.fixed_dictionaries(
    {
        "id": st.just("msg_1"),
        "content": st.lists(BLOCKS, max_size=5),
        "stop_reason": st.sampled_from(
            ["end_turn", "tool_use", "max_tokens", "refusal", "pause_turn", "odd"]
        ),
        "usage": st.fixed_dictionaries(
            dict.fromkeys(("input_tokens", "output_tokens", "cache_read_input_tokens"), COUNTS)
        ),
    },
    optional={
        "stop_sequence": WORDS,
        "stop_details": st.just({"type": "refusal"}),
        "container": st.just({"id": "c"}),
    },
)
WANTED = st.sampled_from([REQUEST, ChatCompletion.parse({**REQUEST.wire(), "response_format": FORMAT})])


@given(message=MESSAGES, request=WANTED, cuts=st.lists(st.integers(0, 4000), max_size=4))
def test_streamed_is_whole(message: Fields, request: ChatCompletion, cuts: list[int]) -> None:
    data = streamed_events(message)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    decoder = ANTHROPIC.decoder(request, at(NEW))
    chunks = [chunk for start, end in pairwise(edges) for chunk in decoder.feed(data[start:end])]
    assert decoder.done
    assert fold([*chunks, *decoder.close()]).wire() == decoded(message, request).wire()
