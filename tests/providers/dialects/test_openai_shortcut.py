"""The short way to the wire of OpenAI-compatible hosts gives what the long way gives, or nothing."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed_requests import FUNCTION, mixed_requests, target_of

from turnout.config.sections import OnUnsupported
from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target, WireRequest
from turnout.providers.dialects import dialect
from turnout.providers.dialects.hooks import ENCODE_HOOKS, HOOKED
from turnout.providers.dialects.openai_encoding import encode_with_care
from turnout.providers.dialects.openai_shortcut import shortened
from turnout.providers.errors import RequestError, UnsupportedError

Fields = dict[str, Any]

PRESETS = sorted(name for name, row in catalogue().items() if row.dialect == "openai")
WAYS: tuple[OnUnsupported, ...] = ("refuse", "drop")


def models_of(preset: str) -> list[str]:
    """A model that no rule knows, and one for each rule of a row."""
    row = catalogue()[preset]
    patterns = [
        *(rule.models[0] for rule in row.model_rules),
        *(rule.models[0] for rule in row.thinking_rules),
    ]
    return ["m", *sorted({pattern.replace("*", "1") for pattern in patterns})]


def made(preset: str, model: str, way: OnUnsupported) -> Target:
    options = dict.fromkeys(catalogue()[preset].options_env, "x")
    return target_of(preset, model, on_unsupported=way, options=options)


MODELS = {preset: models_of(preset) for preset in PRESETS}
TARGETS = {
    (preset, model, way): made(preset, model, way)
    for preset in PRESETS
    for model in MODELS[preset]
    for way in WAYS
}

TOOL = {"type": "function", "function": FUNCTION}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", "NaN", "-Infinity", "é\u2028"]
)
PARTS = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}), max_size=2)
MESSAGES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "user", "assistant", "system", "developer"]),
        "content": TEXTS | TEXTS | PARTS,
    },
    optional={"name": st.none() | st.just("ann"), "tool_calls": st.none(), "annotations": st.none()},
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(["a", "b", "c", "123456789", "x" * 41]),
            "type": st.just("function"),
            "function": st.sampled_from([{"name": "f", "arguments": '{"a": 1}'}, {"name": "g", "x": 1}]),
        },
        optional={"native_x": st.just("y")},
    )
    | st.just({"id": "a", "type": "custom", "custom": {"name": "sql", "input": "x"}})
    | st.just({"id": "d", "type": "function", "function": {"name": "h", "arguments": "{}"}}),
    min_size=1,
    max_size=2,
)


@st.composite
def loops(draw: st.DrawFn) -> list[Fields]:
    """A message that calls, and mostly its results."""
    calls = draw(CALLS)
    content = draw(st.sampled_from([None, "", "Let me see"]))
    ids = draw(st.sampled_from([[call["id"] for call in calls], [calls[0]["id"]], []]))
    results = [{"role": "tool", "tool_call_id": name, "content": draw(TEXTS | PARTS)} for name in ids]
    return [{"role": "assistant", "content": content, "tool_calls": calls}, *results]


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.floats(0, 2) | st.sampled_from([0, 1, 1e-7]),
    "top_p": st.floats(0, 1),
    "frequency_penalty": st.floats(-2, 2),
    "presence_penalty": st.none() | st.floats(-2, 2),
    "seed": st.integers(),
    "n": st.integers(1, 3),
    "stop": TEXTS | st.lists(TEXTS, max_size=2),
    "user": TEXTS,
    "safety_identifier": TEXTS,
    "metadata": st.dictionaries(TEXTS, TEXTS, max_size=2),
    "store": st.booleans(),
    "service_tier": st.sampled_from(["auto", "flex"]),
    "verbosity": st.sampled_from(["low", "high"]),
    "prompt_cache_key": TEXTS,
    "logprobs": st.booleans(),
    "logit_bias": st.dictionaries(st.sampled_from(["1", "22"]), st.integers(-9, 9)),
    "modalities": st.just(["text"]),
    "parallel_tool_calls": st.booleans(),
    "max_tokens": st.integers(1, 10**6),
    "max_completion_tokens": st.integers(1, 10**6),
    "stream": st.none() | st.booleans(),
    "tools": st.lists(
        st.sampled_from(
            [
                TOOL,
                {"function": {"name": "f"}},
                {
                    "type": "function",
                    "function": {"name": "g", "strict": True, "parameters": {"a": [1.5, None]}},
                },
                {"type": "function", "function": {"name": "h", "extra": 1}},
                {**TOOL, "cache_control": {"type": "ephemeral"}},
                {"type": "custom", "custom": {"name": "sql"}},
            ]
        ),
        max_size=2,
    ),
    "tool_choice": st.sampled_from([None, "auto", "none", "required"]),
    "reasoning_effort": st.sampled_from([None, "none", "low", "high", "max", "heroic"]),
    "enable_thinking": st.sampled_from([None, True, False]),
    "top_k": st.just(4),
}


@st.composite
def requests(draw: st.DrawFn) -> ChatCompletion:
    """Mostly ordinary requests, some with what only the long way knows."""
    names = draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=5))
    fields = {name: draw(FIELDS[name]) for name in sorted(names)}
    if "max_tokens" in fields and "max_completion_tokens" in fields:
        fields["max_tokens"] = fields["max_completion_tokens"]
    if fields.get("stream") and draw(st.booleans()):
        fields["stream_options"] = {"include_usage": draw(st.booleans())}
    groups = draw(st.lists(MESSAGES.map(lambda message: [message]) | loops(), min_size=1, max_size=3))
    messages = [message for group in groups for message in group]
    return ChatCompletion.parse({"model": "route", "messages": messages, **fields})


def outcome(request: ChatCompletion, target: Target) -> WireRequest | str:
    """What the long way gives: a request, or an error in words."""
    try:
        return encode_with_care(request, target)
    except (RequestError, UnsupportedError) as error:
        return repr(error)


def short(request: ChatCompletion, target: Target) -> WireRequest | None:
    """What the short way gives, once it was seen that the long one gives the same."""
    wire = shortened(request, target)
    if wire is not None:
        long = outcome(request, target)
        assert isinstance(long, WireRequest), long
        assert json.loads(wire.body) == json.loads(long.body)
        assert wire == long
        assert repr(wire) == repr(long)
    return wire


@pytest.mark.parametrize("preset", PRESETS)
@settings(max_examples=20)
@given(data=st.data())
def test_both_ways_give_the_same(preset: str, data: st.DataObject) -> None:
    request = data.draw(requests())
    for model in MODELS[preset]:
        for way in WAYS:
            short(request, TARGETS[preset, model, way])


def test_both_ways_give_the_same_for_requests_that_mix_everything() -> None:
    mixed = mixed_requests(60, seed=5)
    for preset in PRESETS:
        for request in mixed:
            short(request, TARGETS[preset, "m", "drop"])


@pytest.mark.parametrize("preset", PRESETS)
def test_an_ordinary_request_takes_the_short_way_at_every_host(preset: str) -> None:
    fields: Fields = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    for way in (None, "max_tokens"):
        limit = {} if way is None else {way: 100}
        for stream in (False, True):
            request = ChatCompletion.parse({**fields, **limit, "stream": stream})
            assert short(request, TARGETS[preset, "m", "refuse"]) is not None


def test_a_conversation_that_comes_back_with_nulls_and_parts_is_ordinary() -> None:
    said = [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "assistant", "content": "Hm", "refusal": None, "annotations": None},
        {"role": "user", "content": "Go"},
    ]
    request = ChatCompletion.parse({"model": "m", "messages": said, "tools": [TOOL], "tool_choice": "auto"})
    wire = short(request, TARGETS["openai", "m", "refuse"])
    assert wire is not None
    assert json.loads(wire.body)["messages"] == [said[0], {"role": "assistant", "content": "Hm"}, said[2]]


def test_a_call_and_its_result_are_ordinary() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    said: list[Fields] = [
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "9"},
    ]
    request = ChatCompletion.parse({"model": "m", "messages": said, "tools": [TOOL]})
    assert short(request, TARGETS["openai", "m", "refuse"]) is not None
    assert shortened(request, TARGETS["mistral", "m", "refuse"]) is None
    unanswered = request.model_copy(update={"messages": request.messages[:2]})
    assert shortened(unanswered, TARGETS["openai", "m", "refuse"]) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"top_k": 4},
        {"tool_choice": "required", "tools": [TOOL]},
        {"response_format": {"type": "json_object"}},
        {"reasoning_effort": "heroic"},
        {"reasoning_effort": "low", "thinking_budget": 100},
        {"messages": [{"role": "user", "content": "Hi", "name": "ann"}]},
        {"messages": [{"role": "user", "content": "Hi", "unknown": 1}]},
    ],
)
def test_anything_else_takes_the_long_way(fields: Fields) -> None:
    hello = [{"role": "user", "content": "Hi"}]
    request = ChatCompletion.parse({"model": "m", "messages": hello, **fields})
    assert shortened(request, TARGETS["openai", "m", "refuse"]) is None


def test_a_row_that_cannot_say_a_plain_request_refuses_it_as_before() -> None:
    preset = catalogue()["openai"].model_copy(update={"encode_hooks": ("brief_tool_ids", "of_tomorrow")})
    target = dataclasses.replace(TARGETS["openai", "m", "refuse"], preset=preset)
    assert (
        shortened(ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": ""}]}), target)
        is None
    )


def test_what_every_hook_depends_on_is_told() -> None:
    assert HOOKED.keys() == ENCODE_HOOKS.keys()


def test_half_a_surrogate_pair_stays_escaped() -> None:
    request = ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "x"}]})
    message = request.messages[0].model_copy(update={"content": "\ud800"})
    wire = short(request.model_copy(update={"messages": [message]}), TARGETS["openai", "m", "refuse"])
    assert wire is not None
    assert rb'"content":"\ud800"' in wire.body


def test_what_is_worked_out_for_a_target_is_kept_and_is_no_part_of_it() -> None:
    target = target_of("openai", "m")
    first, second = (shortened(request, target) for request in mixed_plain(2))
    assert first is not None
    assert second is not None
    assert first.headers is second.headers
    assert target == dataclasses.replace(target)
    assert repr(target) == repr(dataclasses.replace(target))
    assert "Bearer" not in repr(target)
    other = dataclasses.replace(target, model="n")
    assert json.loads(dialect("openai").encode(mixed_plain(1)[0], other).body)["model"] == "n"


def test_a_target_with_another_way_with_what_it_cannot_say_is_made_once() -> None:
    target = target_of("deepseek", "m", on_unsupported="refuse")
    assert target.settling("refuse") is target
    dropping = target.settling("drop")
    assert dropping is target.settling("drop")
    said = [{"role": "user", "content": "x"}]
    tools = [{"type": "custom", "custom": {"name": "sql"}}]
    request = ChatCompletion.parse({"model": "m", "messages": said, "tools": tools})
    with pytest.raises(UnsupportedError):
        dialect("openai").encode(request, target.settling("refuse"))
    assert dialect("openai").encode(request, dropping).adaptations


def mixed_plain(count: int) -> list[ChatCompletion]:
    messages = [{"role": "user", "content": "Hi"}]
    return [ChatCompletion.parse({"model": "m", "messages": messages, "seed": at}) for at in range(count)]
