"""Any answer of Cohere's, streamed and cut or whole, means the same; and nothing breaks the reader."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects import dialect
from turnout.providers.errors import ProviderError
from turnout.providers.folding import fold

COHERE = dialect("cohere")
THINKER = "command-a-reasoning-08-2025"
HI = [{"role": "user", "content": "Hi"}]

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
blocks = st.lists(st.tuples(st.sampled_from(["text", "thinking"]), st.lists(words, max_size=3)), max_size=3)
calls = st.lists(
    st.tuples(words, st.sampled_from(["", "null", "{}", '{"a": 1}', '{"null": "nu"}'])), max_size=3
)
citations = st.lists(
    st.fixed_dictionaries(
        {
            "start": st.integers(0, 9),
            "end": st.integers(0, 9),
            "sources": st.lists(st.just({"type": "tool", "id": "t"})),
        },
        optional={"content_index": st.integers(0, 3), "type": st.sampled_from(["TEXT_CONTENT", "PLAN"])},
    ),
    max_size=2,
)
reasons = st.sampled_from(
    ["COMPLETE", "STOP_SEQUENCE", "MAX_TOKENS", "TOOL_CALL", "ERROR_TOXIC", "NEW", None]
)
likelihood = st.fixed_dictionaries({"text": words, "token_ids": st.just([1]), "logprobs": st.just([-0.5])})
counts = st.none() | st.fixed_dictionaries({"tokens": st.just({"input_tokens": 5.0, "output_tokens": 2.0})})


@given(blocks, words, calls, citations, reasons, counts, st.lists(likelihood, max_size=1), st.data())
def test_streamed_however_cut_it_is_the_whole_answer(
    blocks: list[tuple[str, list[str]]],
    plan: str,
    calls: list[tuple[str, str]],
    citations: list[dict[str, Any]],
    reason: str | None,
    usage: dict[str, Any] | None,
    likelihoods: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    likelihoods = likelihoods if any(pieces for _, pieces in blocks) else []
    made = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls)
    ]
    message = {
        "role": "assistant",
        "content": [{"type": kind, kind: "".join(pieces)} for kind, pieces in blocks],
        "tool_plan": plan,
        "tool_calls": made,
        "citations": citations,
    }
    whole = {"id": "a", "message": message, "finish_reason": reason, "usage": usage, "logprobs": likelihoods}

    def event(kind: str, said: dict[str, Any], **rest: Any) -> dict[str, Any]:
        return {"type": kind, "delta": {"message": said}, **rest}

    events: list[dict[str, Any]] = [
        {"type": "message-start", "id": "a", "delta": {"message": {"content": []}}}
    ]
    waiting = list(likelihoods)
    for index, (kind, pieces) in enumerate(blocks):
        events.append(event("content-start", {"content": {"type": kind, kind: ""}}, index=index))
        for piece in pieces:
            told = {"logprobs": waiting.pop()} if waiting else {}
            events.append(event("content-delta", {"content": {kind: piece}}, index=index, **told))
        events.append({"type": "content-end", "index": index})
    events += [event("tool-plan-delta", {"tool_plan": piece}) for piece in plan]
    for index, call in enumerate(made):
        function: Any = call["function"]
        events.append(
            event(
                "tool-call-start",
                {"tool_calls": {**call, "function": {**function, "arguments": ""}}},
                index=index,
            )
        )
        events += [
            event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}}, index=index)
            for piece in function["arguments"]
        ]
        events.append({"type": "tool-call-end", "index": index})
    events += [event("citation-start", {"citations": one}, index=n) for n, one in enumerate(citations)]
    events.append({"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}})
    stream = b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    request, target = ChatCompletion.parse({"model": "m", "messages": HI}), target_of("cohere", THINKER)
    decoder = COHERE.decoder(request, target)
    chunks = [chunk for part in parts for chunk in decoder.feed(part)] + list(decoder.close())
    assert fold(chunks).wire() == COHERE.decode(json.dumps(whole).encode(), request, target).wire()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "type",
                        "id",
                        "index",
                        "delta",
                        "message",
                        "content",
                        "text",
                        "thinking",
                        "tool_calls",
                        "function",
                        "arguments",
                        "citations",
                        "sources",
                        "start",
                        "finish_reason",
                        "usage",
                        "tokens",
                        "input_tokens",
                        "logprobs",
                        "error",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(
        [
            "message-start",
            "content-delta",
            "tool-call-start",
            "tool-call-delta",
            "citation-start",
            "message-end",
            "new",
        ]
    ),
)
def test_no_shape_raises_anything_but_a_provider_error(value: Any, kind: str) -> None:
    request, target = ChatCompletion.parse({"model": "m", "messages": HI}), target_of("cohere", THINKER)
    event = {**value, "type": kind} if isinstance(value, dict) else value
    with suppress(ProviderError):
        COHERE.decode(json.dumps(value).encode(), request, target)
    decoder = COHERE.decoder(request, target)
    with suppress(ProviderError):
        list(decoder.feed(f"data: {json.dumps(event)}\n\n".encode()))
        list(decoder.close())
