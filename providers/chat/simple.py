"""Simple requests, read without pydantic: text messages, a few scalars, functions, as most requests are.

Whatever is not plainly right here is left to the models, which know every shape, and which say what is wrong.
What is taken here equals what they would make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from .checks import is_plain_json
from .making import blank, made
from .message import Message
from .record import Record
from .tools import Tool

R = TypeVar("R", bound=Record)

_NO = object()
_ROLES = frozenset({"system", "developer", "user", "assistant"})
_CHOICES = frozenset({"none", "auto", "required"})
_MOST_TOOLS = 128
_LABELS, _LONGEST_LABEL, _LONGEST_WORD = 16, 64, 512


def simple_request(kind: type[R], value: dict[str, Any]) -> R | None:
    """The request that a simple object stands for, of the class `kind`; None: its model has to read it."""
    if not value.keys() <= _READERS.keys():
        return None
    messages = value.get("messages")
    if type(messages) is not list or not messages:
        return None
    read = []
    for message in messages:
        if type(message) is not dict or len(message) != 2:
            return None
        role, content = message.get("role"), message.get("content")
        if type(content) is not str or type(role) is not str or role not in _ROLES:
            return None
        said = blank(Message).copy()
        said["role"], said["content"] = role, content
        read.append(made(Message, said, {"role", "content"}, {}))
    fields = blank(kind).copy()
    for name, item in value.items():
        if item is not None:
            item = _READERS[name](item)
            if item is _NO:
                return None
            fields[name] = item
    two_limits = fields["max_tokens"] is not None and fields["max_completion_tokens"] is not None
    if type(fields["model"]) is not str or two_limits:
        return None
    fields["messages"] = read
    return made(kind, fields, set(value), {})


def _text(value: object) -> object:
    return value if type(value) is str else _NO


def _ascii(value: object) -> object:
    """Text whose length counts; only the models know half a surrogate pair when they see one."""
    return value if type(value) is str and value and value.isascii() else _NO


def _flag(value: object) -> object:
    return value if type(value) is bool else _NO


def _whole(value: object) -> object:
    return value if type(value) is int else _NO


def _count(value: object) -> object:
    return value if type(value) is int and value >= 1 else _NO


def _number(low: float, high: float) -> Callable[[Any], object]:
    def reader(value: Any) -> object:
        return float(value) if type(value) in (float, int) and low <= value <= high else _NO

    return reader


def _labels(value: object) -> object:
    if type(value) is not dict or len(value) > _LABELS:
        return _NO
    for key, word in value.items():
        if type(key) is not str or type(word) is not str or not key.isascii() or not word.isascii():
            return _NO
        if len(key) > _LONGEST_LABEL or len(word) > _LONGEST_WORD:
            return _NO
    return dict(value)


def _tools(value: object) -> object:
    """Functions and nothing else, each read by its model."""
    if type(value) is not list or len(value) > _MOST_TOOLS:
        return _NO
    try:
        tools = [Tool.model_validate(item) for item in value if type(item) is dict]
    except ValidationError:
        return _NO
    free = []
    for tool in tools:
        function = tool.function
        if tool.type != "function" or function is None or tool.model_extra or function.model_extra:
            return _NO
        free.append(function.parameters or {})
    return tools if len(tools) == len(value) and is_plain_json(free) else _NO


def _choice(value: object) -> object:
    return value if type(value) is str and value in _CHOICES else _NO


_READERS: Mapping[str, Callable[[Any], object]] = MappingProxyType(
    {
        "messages": lambda value: value,
        "model": _ascii,
        "stream": _flag,
        "temperature": _number(0, 2),
        "top_p": _number(0, 1),
        "frequency_penalty": _number(-2, 2),
        "presence_penalty": _number(-2, 2),
        "max_tokens": _count,
        "max_completion_tokens": _count,
        "n": _count,
        "seed": _whole,
        "metadata": _labels,
        "user": _text,
        "safety_identifier": _text,
        "service_tier": _text,
        "prompt_cache_key": _text,
        "reasoning_effort": _text,
        "enable_thinking": _flag,
        "store": _flag,
        "stop": _text,
        "tools": _tools,
        "tool_choice": _choice,
        "parallel_tool_calls": _flag,
    }
)
"""For each field what its value becomes, or `_NO` where that is for the model to say."""
