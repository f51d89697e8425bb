"""Any answer of a Responses host means the same streamed, cut or whole; and nothing breaks the reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects import dialect
from turnout.providers.errors import ProviderError
from turnout.providers.folding import fold

RESPONSES = dialect("responses")
TARGET = target_of("openai-responses", "gpt-5.5")
REQUEST = ChatCompletion.parse({"model": "x", "messages": [{"role": "user", "content": "Hi"}]})
Json = dict[str, Any]

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
notes = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["url_citation", "file_path"])},
        optional={"start_index": st.integers(0, 9), "end_index": st.integers(0, 9), "url": words},
    ),
    max_size=2,
)
texts = st.fixed_dictionaries({"type": st.just("output_text"), "text": words, "annotations": notes})
refusals = st.fixed_dictionaries({"type": st.just("refusal"), "refusal": words})
messages = st.fixed_dictionaries(
    {"type": st.just("message"), "content": st.lists(texts | refusals, max_size=2)},
    optional={"phase": st.sampled_from(["commentary", "final_answer"])},
)
summaries = st.lists(st.fixed_dictionaries({"type": st.just("summary_text"), "text": words}), max_size=2)
thoughts = st.fixed_dictionaries(
    {"type": st.just("reasoning"), "summary": summaries}, optional={"encrypted_content": words}
)
calls = st.fixed_dictionaries(
    {"type": st.just("function_call"), "name": words, "arguments": st.sampled_from(["", "{}", '{"a": [1]}'])}
)
customs = st.fixed_dictionaries({"type": st.just("custom_tool_call"), "name": words, "input": words})
others = st.fixed_dictionaries({"type": st.just("dream_call"), "dream": words})
outputs = st.lists(messages | thoughts | calls | customs | others, max_size=4)
endings = st.sampled_from(["completed", "incomplete"])
usages = st.none() | st.just({"input_tokens": 5, "output_tokens": 2})


def answer(output: list[Json], status: str, usage: Json | None) -> Json:
    """A whole answer of these items."""
    items = [{"id": f"it_{n}", "call_id": f"call_{n}", **item} for n, item in enumerate(output)]
    details = {"reason": "max_output_tokens"} if status == "incomplete" else None
    about = {"id": "resp_1", "created_at": 1, "model": "m", "status": status, "incomplete_details": details}
    return {**about, "output": items, "usage": usage}


def events(body: Json, draw: Any) -> Iterator[Json]:
    """The same as a stream: each item told in pieces, only at its end, or only at the very end."""
    yield {"type": "response.created", "response": {**body, "output": [], "status": "in_progress"}}
    for place, item in enumerate(body["output"]):
        ways = draw(st.sampled_from(["pieces", "done", "both"]))
        where = {"output_index": place, "item_id": item["id"]}
        if ways != "done":
            empty = {"content": [], "summary": [], "arguments": "", "input": ""}
            skeleton = {**item, **{name: value for name, value in empty.items() if name in item}}
            yield {"type": "response.output_item.added", "output_index": place, "item": skeleton}
            for event in pieces(item):
                yield {**event, **where, "type": f"response.{event['type']}"}
        if ways != "pieces":
            yield {"type": "response.output_item.done", "output_index": place, "item": item}
    yield {"type": f"response.{body['status']}", "response": body}


def pieces(item: Json) -> Iterator[Json]:
    """What an item says, letter by letter."""
    for place, part in enumerate(item.get("content") or ()):
        field, event = ("text", "output_text") if "text" in part else ("refusal", "refusal")
        for letter in part[field]:
            yield {"type": f"{event}.delta", "content_index": place, "delta": letter}
        for note in part.get("annotations") or ():
            yield {"type": "output_text.annotation.added", "content_index": place, "annotation": note}
    for place, part in enumerate(item.get("summary") or ()):
        for letter in part["text"]:
            yield {"type": "reasoning_summary_text.delta", "summary_index": place, "delta": letter}
    for field, event in (("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")):
        for letter in item.get(field) or "":
            yield {"type": f"{event}.delta", "delta": letter}


@given(outputs, endings, usages, st.data())
def test_streamed_however_cut_it_is_the_whole_answer(
    output: list[Json], status: str, usage: Json | None, data: st.DataObject
) -> None:
    body = answer(output, status, usage)
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events(body, data.draw)).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    decoder, chunks = RESPONSES.decoder(REQUEST, TARGET), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        chunks += list(decoder.feed(stream[start:end]))
    chunks += list(decoder.close())
    assert fold(chunks).wire() == RESPONSES.decode(json.dumps(body).encode(), REQUEST, TARGET).wire()


@given(outputs)
def test_what_was_answered_can_always_be_said_again(output: list[Json]) -> None:
    body = json.dumps(answer(output, "completed", None)).encode()
    message = RESPONSES.decode(body, REQUEST, TARGET).choices[0].message.as_message()
    again = ChatCompletion.parse({"model": "x", "messages": [*REQUEST.messages, message]})
    items = json.loads(RESPONSES.encode(again, TARGET).body)["input"]
    for place, item in enumerate(items):
        if item.get("type") == "reasoning":  # never without its blob, never the last of its answer
            assert item["encrypted_content"]
            assert not str(items[place + 1].get("type")).endswith("_output")


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
FIELDS = (
    "response", "item", "delta", "text", "output_index", "item_id", "content_index", "arguments",
    "annotation", "summary_index", "output", "status", "usage", "error", "refusal", "content",
    "incomplete_details",
)  # fmt: skip
KINDS = (
    "created", "completed", "incomplete", "failed", "output_item.added", "output_item.done", "refusal.done",
    "output_text.delta", "output_text.done", "output_text.annotation.added", "function_call_arguments.done",
    "reasoning_summary_text.delta",
)  # fmt: skip
odd = st.dictionaries(st.sampled_from(FIELDS), anything | st.dictionaries(st.sampled_from(FIELDS), anything))


@given(st.lists(st.tuples(st.sampled_from(KINDS), odd), max_size=5))
def test_odd_events_are_read_or_told_as_a_providers_error(given_: list[tuple[str, Json]]) -> None:
    decoder = RESPONSES.decoder(REQUEST, TARGET)
    with suppress(ProviderError):
        for kind, event in given_:
            event["type"] = f"response.{kind}"
            list(decoder.feed(f"data: {json.dumps(event)}\n\n".encode()))
        list(decoder.close())


@given(odd)
def test_odd_bodies_are_read_or_told_as_a_providers_error(body: Json) -> None:
    with suppress(ProviderError):
        RESPONSES.decode(json.dumps(body).encode(), REQUEST, TARGET)
