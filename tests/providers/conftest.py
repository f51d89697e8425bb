"""Hypothesis strategies for the contract, read off the models, so that a new field is tested by itself."""

from __future__ import annotations

import types
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import pytest
from annotated_types import Ge, Le, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic.fields import FieldInfo
from turnout.providers.chat import ChatCompletion, ChatResponse, Message, Record, ToolCall

R = TypeVar("R", bound=Record)
Records = Callable[[type[Record]], st.SearchStrategy[Any]]

WORDS = st.text(max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=3,
)
UNKNOWN_FIELDS = st.just({}) | st.dictionaries(st.sampled_from(["x_one", "x_two"]), JSON, max_size=2)
SPELLED = {
    ("FunctionDefinition", "name"): st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True),
    ("ImageURL", "url"): st.sampled_from(["https://x.example/a.png", "HTTP://x.example", "data:image/png;base64,AA=="]),
    ("UnknownPart", "type"): st.sampled_from(["video_url", "x", ""]),
}
"""Fields whose text follows a pattern or a rule."""


def records(model: type[R]) -> st.SearchStrategy[R]:
    """Any valid record of the model: every field present or not, unknown fields too."""
    if issubclass(model, ChatCompletion):
        return requests()  # type: ignore[return-value]
    if issubclass(model, ChatResponse):
        return responses()  # type: ignore[return-value]
    return plain(model)


def plain(model: type[R]) -> st.SearchStrategy[R]:
    """Any record of a model whose fields do not depend on each other."""
    return fields(model).map(model.model_validate)


def fields(model: type[Record], *without: str) -> st.SearchStrategy[dict[str, Any]]:
    """Fields of a model by their names on the wire."""
    drawn = {
        field.alias or name: SPELLED.get((model.__name__, name), values(field.annotation, *field.metadata))
        for name, field in model.model_fields.items()
        if name not in without
    }
    required = {k: v for k, v in drawn.items() if any(f.is_required() for n, f in model.model_fields.items() if (f.alias or n) == k)}
    optional = {k: v for k, v in drawn.items() if k not in required}
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda extra, given: {**extra, **given}, UNKNOWN_FIELDS, known)


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
    least = next((item.ge for item in limits if isinstance(item, Ge)), 0)
    most = next((item.le for item in limits if isinstance(item, Le)), 10**6)
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
    """Any valid request: fields from the model, and the rules between them kept."""
    given = draw(fields(ChatCompletion, "messages", "functions", "function_call"))
    given["messages"] = draw(conversations())
    if given.get("top_logprobs") is not None:
        given["logprobs"] = True
    if given.get("stream_options") is not None:
        given["stream"] = True
    if "audio" in (given.get("modalities") or ()) and given.get("audio") is None:
        given["audio"] = {"format": "wav", "voice": "alloy"}
    if given.get("max_completion_tokens") is not None and given.get("max_tokens") is not None:
        given["max_tokens"] = given["max_completion_tokens"]
    for tool in given.get("tools") or ():
        assume_typed(tool)
    return ChatCompletion.parse({**given, **repaired(given)})


def assume_typed(tool: Any) -> None:
    """Leave tools as they were drawn; `repaired` replaces those that lack what their type needs."""


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Messages where each tool message answers an earlier call."""
    messages = [Message.user(draw(WORDS))]
    for place in range(draw(st.integers(0, 2))):
        messages.extend(draw(turns(f"call-{place}")))
    return messages


@st.composite
def turns(draw: st.DrawFn, call_id: str) -> list[Message]:
    """A message of a person, or an assistant's with the answer to what it calls."""
    given = draw(fields(Message, "role", "tool_calls", "tool_call_id", "function_call", "content"))
    if draw(st.booleans()):
        assistant_only = ("refusal", "audio", "reasoning", "reasoning_details")
        said = draw(values(Message.model_fields["content"].annotation).filter(lambda content: content is not None))
        kept = {name: value for name, value in given.items() if name not in assistant_only}
        return [Message.model_validate({**kept, "role": draw(st.sampled_from(["user", "system", "developer"])), "content": said})]
    call = draw(fields(ToolCall, "id", "type", "function"))
    call |= {"id": call_id, "function": {"name": "look", "arguments": draw(WORDS)}}
    return [
        Message.model_validate({**given, "role": "assistant", "content": draw(st.none() | WORDS), "tool_calls": [call]}),
        Message.tool(call_id, draw(WORDS)),
    ]


@st.composite
def responses(draw: st.DrawFn) -> ChatResponse:
    """Any answer whose choices have indexes of their own, in order."""
    response = draw(plain_response())
    for index, choice in enumerate(response.choices):
        choice.index = index
    return response
