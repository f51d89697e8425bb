"""Simple requests are read without pydantic, and become what pydantic would make of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from turnout.providers.chat import ChatCompletion
from turnout.providers.chat.simple import _READERS, simple_request

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
HELLO: dict[str, Any] = {"role": "user", "content": "Hi"}
WORDS = st.text(max_size=5) | st.sampled_from(["\ud800", "é", "", "x" * 65, "x" * 513])
VALUES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.sampled_from([-3, -2, -1, 0, 1, 2, 3, 17, 2**70, -2.0, -0.0, 1e-9, 1.0, 1.0001, 2.0, float("nan")])
    | st.floats(-3, 3)
    | WORDS
    | st.dictionaries(WORDS, WORDS | st.integers(), max_size=3)
    | st.sampled_from([{str(at): "" for at in range(count)} for count in (16, 17)])
    | st.lists(WORDS, max_size=2)
)
TOOLS = st.lists(
    st.sampled_from(
        [
            {"type": "function", "function": {"name": "f"}},
            {"function": {"name": "f", "parameters": {"a": [1, {"b": None}]}, "strict": True}},
            {"function": {"name": "f", "parameters": {"a": {1, 2}}}},
            {"function": {"name": "f", "parameters": {"a": float("nan")}}},
            {"function": {"name": "f", "parameters": {1: 2}}},
            {"function": {"name": "f", "parameters": {}, "description": None, "other": 1}},
            {"function": {"name": "f g"}},
            {"type": "function"},
            {"type": "custom", "custom": {"name": "sql"}},
            {"function": {"name": "g"}, "cache_control": {}},
            "f",
        ]
    ),
    max_size=2,
)
MESSAGES = (
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function", "x", 1]),
            "content": WORDS | st.none() | st.lists(st.just({"type": "text", "text": "a"}), max_size=1),
        },
        optional={"name": WORDS},
    )
    | st.fixed_dictionaries({"role": st.just("user"), "content": WORDS})
    | st.sampled_from([{"role": "user"}, {"role": "user", "text": "x"}, "Hi", None])
)


def like(one: Any) -> Any:
    """All of a record, types and order included."""
    if isinstance(one, list):
        return [like(item) for item in one]
    if hasattr(one, "model_fields_set"):
        own = [(name, like(value)) for name, value in one.__dict__.items()]
        return (type(one), own, one.model_fields_set, one.__pydantic_extra__, one.__pydantic_private__)
    return (type(one), repr(one))


@settings(max_examples=300)
@given(
    fields=st.dictionaries(st.sampled_from([*_READERS, "x"]), VALUES | TOOLS, max_size=4),
    messages=st.lists(MESSAGES, max_size=3) | st.lists(st.just(HELLO), min_size=1, max_size=2),
    model=st.sampled_from(["m", "m", "m", "é", "\ud800", "", None, 1]),
)
@example(fields={"tools": [TOOL, TOOL], "tool_choice": "none"}, messages=[HELLO], model="m")
@example(fields={"tools": [{"function": {"name": "a b"}}]}, messages=[HELLO], model="m")
@example(fields={"tools": [TOOL] * 129}, messages=[HELLO], model="m")
@example(fields={"temperature": 0, "top_p": 1}, messages=[HELLO], model="m")
@example(fields={"max_tokens": 1, "max_completion_tokens": 2}, messages=[HELLO], model="m")
@example(fields={"metadata": {"a": "b"}, "seed": 2**70, "stream": None}, messages=[HELLO], model="m")
def test_a_simple_request_is_what_pydantic_makes_of_it(fields: Any, messages: Any, model: Any) -> None:
    value = {"model": model, **fields, "messages": messages}
    request = simple_request(ChatCompletion, value)
    try:
        validated = ChatCompletion.model_validate(value)
    except ValidationError:
        assert request is None
    else:
        assert request is None or like(request) == like(validated)


@pytest.mark.parametrize("name", sorted(set(_READERS) - {"messages", "model"}))
def test_every_field_of_simple_requests_is_read_at_its_bounds(name: str) -> None:
    values = [
        [TOOL],
        "auto",
        "none",
        [],
        -3,
        -2.0001,
        -2,
        -1,
        0,
        0.5,
        1,
        1.0001,
        2,
        2.0001,
        True,
        "x",
        {"a": "b"},
        {},
        None,
        [],
        "é",
    ]
    taken = 0
    for item in values:
        value = {"model": "m", "messages": [HELLO], name: item}
        request = simple_request(ChatCompletion, value)
        if request is not None:
            taken += 1
            assert like(request) == like(ChatCompletion.model_validate(value))
    assert taken > 1  # besides null


def test_what_is_given_is_not_shared_with_the_request() -> None:
    labels = {"team": "search"}
    messages = [dict(HELLO)]
    value: dict[str, Any] = {"model": "m", "messages": messages, "metadata": labels}
    request = ChatCompletion.parse(value)
    labels["team"] = "other"
    messages[0]["content"] = "Bye"
    messages.append(HELLO)
    value["model"] = "n"
    assert request.wire() == {"model": "m", "messages": [HELLO], "metadata": {"team": "search"}}


@pytest.mark.parametrize("without", ["model", "messages"])
def test_what_is_required_is_asked_for_as_ever(without: str) -> None:
    value = {"model": "m", "messages": [HELLO]}
    del value[without]
    assert simple_request(ChatCompletion, value) is None
