"""Hypothesis strategies for the contract, read off the models, so that a new field is tested by itself."""

from __future__ import annotations

import types
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import pytest
from annotated_types import Ge, Le, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from turnout.providers.chat import (
    ChatCompletion,
    ChatResponse,
    Message,
    NamedToolChoice,
    Record,
    ResponseFormat,
    Tool,
    ToolCall,
)

R = TypeVar("R", bound=Record)
Records = Callable[[type[Record]], st.SearchStrategy[Any]]

WORDS = st.text(max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=3,
)
UNKNOWN_FIELDS: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.dictionaries(
    st.sampled_from(["x_one", "x_two"]), JSON, max_size=2
)
SPELLED = {
    ("FunctionDefinition", "name"): st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True),
    ("ImageURL", "url"): st.sampled_from(
        ["https://x.example/a.png", "HTTP://x.example", "data:image/png;base64,AA=="]
    ),
    ("UnknownPart", "type"): st.sampled_from(["video_url", "x", ""]),
}
"""Fields whose text follows a pattern or a rule."""
ASSISTANT_ONLY = (
    "tool_calls", "tool_call_id", "function_call", "refusal", "audio", "reasoning", "reasoning_details",
)  # fmt: skip


@cache
def records(model: type[R]) -> st.SearchStrategy[R]:
    """Any valid record of the model: every field present or not, unknown fields too."""
    special: dict[type[Record], Callable[[], st.SearchStrategy[Any]]] = {
        ChatCompletion: requests,
        ChatResponse: responses,
        Tool: lambda: typed(Tool, "function", otherwise="custom", needs="function"),
        NamedToolChoice: lambda: typed(NamedToolChoice, "function", otherwise="custom", needs="function"),
        ResponseFormat: lambda: typed(ResponseFormat, "json_schema", otherwise="text", needs="json_schema"),
    }
    build = special.get(model)
    return fields(model).map(model.model_validate) if build is None else build()


@cache
def fields(model: type[Record], *without: str) -> st.SearchStrategy[dict[str, Any]]:
    """Fields of a model by their names on the wire."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        if name not in without:
            spelled = SPELLED.get((model.__name__, name))
            drawn = values(field.annotation, *field.metadata) if spelled is None else spelled
            (required if field.is_required() else optional)[field.alias or name] = drawn
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda unknown, given: {**unknown, **given}, UNKNOWN_FIELDS, known)


def typed(model: type[R], word: str, *, otherwise: str, needs: str) -> st.SearchStrategy[R]:
    """A record whose type is `word` only where the field that this needs is there."""

    def repaired(given: dict[str, Any]) -> R:
        lacks = given.get(needs) is None and given.get("type", word) == word
        return model.model_validate({**given, "type": otherwise} if lacks else given)

    return fields(model).map(repaired)


def values(annotation: Any, *bounds: Any) -> st.SearchStrategy[Any]:
    """Any value of a Python type within pydantic's bounds."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(args[0], *bounds, *args[1:])
    if origin in (Union, types.UnionType):
        return st.one_of([values(arg, *bounds) for arg in args])
    if origin is Literal:
        return st.sampled_from(args)
    limits = flatten(bounds)
    least: Any = next((item.ge for item in limits if isinstance(item, Ge)), 0)
    most: Any = next((item.le for item in limits if isinstance(item, Le)), 10**6)
    shortest = next((item.min_length for item in limits if isinstance(item, MinLen)), 0)
    longest = min(next((item.max_length for item in limits if isinstance(item, MaxLen)), 2), 2)
    if origin is list:
        return st.lists(values(args[0]), min_size=shortest, max_size=longest)
    if origin is dict:
        inner = JSON if args[1] is Any else values(args[1])
        return st.dictionaries(WORDS, inner, max_size=longest)
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return st.deferred(lambda: records(annotation))
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(min_size=shortest, max_size=6),
        bool: st.booleans(),
        int: st.integers(int(least), int(most)),
        float: st.floats(float(least), float(most)),
        Decimal: st.decimals(min_value=0, max_value=1000, places=7),
        type(None): st.none(),
        Any: JSON,
    }
    return simple[annotation]


def flatten(bounds: tuple[Any, ...]) -> list[Any]:
    """The constraints inside pydantic's `Field(...)`."""
    return [inner for item in bounds for inner in (item.metadata if isinstance(item, FieldInfo) else [item])]


@st.composite
def requests(draw: st.DrawFn) -> ChatCompletion:
    """Any valid request: fields from the model, with the rules between them kept."""
    given = draw(fields(ChatCompletion, "messages", "functions", "function_call"))
    if given.get("top_logprobs") is not None:
        given["logprobs"] = True
    if given.get("stream_options") is not None:
        given["stream"] = True
    if "audio" in (given.get("modalities") or ()):
        given["audio"] = {"format": "wav", "voice": "alloy"}
    if given.get("max_completion_tokens") is not None:
        given.pop("max_tokens", None)
    return ChatCompletion.parse({**given, "messages": draw(conversations())})


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Messages where each tool message answers an earlier call."""
    messages = [Message.user(draw(WORDS))]
    for place in range(draw(st.integers(0, 2))):
        messages.extend(draw(said() if draw(st.booleans()) else called(f"call-{place}")))
    return messages


@st.composite
def said(draw: st.DrawFn) -> list[Message]:
    """A message of anyone who is neither an assistant nor a tool."""
    given = draw(fields(Message, "role", "content", *ASSISTANT_ONLY))
    content = draw(values(Message.model_fields["content"].annotation).filter(lambda found: found is not None))
    role = draw(st.sampled_from(["user", "system", "developer"]))
    return [Message.model_validate({**given, "role": role, "content": content})]


@st.composite
def called(draw: st.DrawFn, call_id: str) -> list[Message]:
    """An assistant's message with a call, and the answer to it."""
    given = draw(fields(Message, "role", "tool_calls", "tool_call_id", "function_call"))
    call = draw(fields(ToolCall, "id", "type", "function"))
    call |= {"id": call_id, "function": {"name": "look", "arguments": draw(WORDS)}}
    return [
        Message.model_validate({**given, "role": "assistant", "tool_calls": [call]}),
        Message.tool(call_id, draw(WORDS)),
    ]


@st.composite
def responses(draw: st.DrawFn) -> ChatResponse:
    """Any answer whose choices have indexes of their own, in order."""
    response = ChatResponse.model_validate(draw(fields(ChatResponse)))
    for index, choice in enumerate(response.choices):
        choice.index = index
    return response


@pytest.fixture(scope="session", name="records")
def records_of_a_model() -> Records:
    """Gives the strategy for a model: `data.draw(records(ChatResponse))`."""
    return records
