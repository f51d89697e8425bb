"""Any answer of Converse's means the same, whole or streamed, however it is cut."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from bedrock_requests import CLAUDE, DIALECT, HI, NOVA
from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.bedrock_decoding import events_of_whole
from turnout.providers.errors import MalformedResponseError
from turnout.providers.event_stream import Message, encode, string
from turnout.providers.folding import fold


def test_an_answer_beyond_the_limit_is_refused() -> None:
    target = replace(target_of("bedrock", NOVA), max_response_bytes=64)
    decoder = DIALECT.decoder(ChatCompletion.parse({"model": "m", "messages": [HI]}), target)
    with pytest.raises(MalformedResponseError, match="longer than 64"):
        list(decoder.feed(b"{" + b" " * 64))


def test_a_stream_that_nobody_asked_for_is_read() -> None:
    request, target = ChatCompletion.parse({"model": "m", "messages": [HI]}), target_of("bedrock", NOVA)
    body = framed({"output": {"message": {"content": [{"text": "Hi"}]}}, "stopReason": "end_turn"})
    assert DIALECT.decode(body, request, target).text == "Hi"


def framed(answer: dict[str, Any]) -> bytes:
    """A whole answer as the stream that says the same."""
    return b"".join(
        encode(
            Message(
                {":message-type": string("event"), ":event-type": string(event)},
                json.dumps(payload).encode(),
            )
        )
        for event, payload in events_of_whole(answer, target_of("bedrock", NOVA))
    )


WORDS = st.text(st.sampled_from("ab é日"), max_size=5)
JSON = st.dictionaries(WORDS, st.integers() | WORDS | st.lists(st.booleans(), max_size=2), max_size=2)
CITATION = st.fixed_dictionaries(
    {}, optional={"title": WORDS, "source": WORDS, "location": st.just({"web": {"url": "u"}})}
)
BLOCKS = st.one_of(
    WORDS.map(lambda text: {"text": text}),
    st.fixed_dictionaries({"text": WORDS}, optional={"signature": WORDS}).map(
        lambda said: {"reasoningContent": {"reasoningText": said}}
    ),
    st.just({"reasoningContent": {"redactedContent": "AAAA"}}),
    st.builds(lambda name, said: {"toolUse": {"toolUseId": "i", "name": name, "input": said}}, WORDS, JSON),
    st.builds(
        lambda texts, found: {
            "citationsContent": {"content": [{"text": one} for one in texts], "citations": found}
        },
        st.lists(WORDS, max_size=2),
        st.lists(CITATION, max_size=2),
    ),
    st.just({"image": {"format": "png", "source": {"bytes": "AA=="}}}),
    st.just({"toolUse": {"toolUseId": "s", "name": "n", "type": "server_tool_use", "input": {"a": 1}}}),
    st.just({"toolResult": {"toolUseId": "s", "content": [{"text": "1"}], "type": "x"}}),
    st.dictionaries(st.just("hologram"), JSON, min_size=1),
)
COUNTS = ("inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
ANSWERS = st.fixed_dictionaries(
    {
        "output": st.lists(BLOCKS, max_size=4).map(lambda blocks: {"message": {"content": blocks}}),
        "stopReason": st.sampled_from(["end_turn", "tool_use", "max_tokens", "content_filtered", None, "x"]),
    },
    optional={
        "usage": st.none() | st.dictionaries(st.sampled_from(COUNTS), st.integers(0, 99)),
        "trace": JSON,
        "serviceTier": st.just({"type": "default"}),
        "additionalModelResponseFields": JSON | st.just(""),
    },
)


@given(ANSWERS, st.sampled_from([CLAUDE, NOVA, "us.deepseek.r1-v1:0"]), st.data())
def test_any_answer_says_the_same_streamed_and_cut(
    answer: dict[str, Any], model: str, data: st.DataObject
) -> None:
    request, target = ChatCompletion.parse({"model": "m", "messages": [HI]}), target_of("bedrock", model)
    whole = DIALECT.decode(json.dumps(answer).encode(), request, target)
    stream = framed(answer)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    decoder = DIALECT.decoder(request, target)
    chunks = [
        chunk
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for chunk in decoder.feed(stream[start:end])
    ]
    chunks += decoder.close()
    assert decoder.done
    assert fold(chunks).wire() == whole.wire()
