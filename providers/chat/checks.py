"""The rules of the contract that hold between fields."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .legacy import broken
from .message import Message
from .record import SCALARS, Record
from .tools import NamedToolChoice, ToolCall

if TYPE_CHECKING:
    from .request import ChatCompletion

_EVERYBODYS = frozenset({"role", "content", "name", "tool_call_id"})
_PLAIN_ROLES = frozenset({"system", "developer", "user", "assistant"})
_PLAIN = frozenset({"role", "content"})
_FREE = frozenset(
    {
        "model", "messages", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "max_tokens",
        "max_completion_tokens",
        "metadata", "n", "parallel_tool_calls", "prompt_cache_key", "reasoning_effort", "enable_thinking",
        "thinking_budget", "safety_identifier", "user", "seed", "service_tier", "stop", "store", "stream",
        "temperature", "tool_choice", "top_p", "verbosity",
    }
)  # fmt: skip
"""Fields whose types say all that there is to say about them, as long as no other field is there."""
_TEXT = frozenset({str})
_WORDS = frozenset({str, int, bool, type(None)})
_ENOUGH = 10_000
"""Lists and objects in a request beyond which json itself is asked, which also finds out about circles."""
_ASSISTANT_ONLY = ("tool_calls", "refusal", "audio", "reasoning", "reasoning_details")


def is_simple(request: ChatCompletion) -> bool:
    """Whether a request has nothing in it that a rule between fields or a deprecated form could be about."""
    return (
        request.__pydantic_fields_set__ <= _FREE
        and type(request.tool_choice) in SCALARS
        and None in (request.max_tokens, request.max_completion_tokens)
        and all(map(_is_text, request.messages))
    )


def check(request: ChatCompletion) -> None:
    """Raise pydantic's custom error, with the field's path in its context, for the first broken rule."""
    _check_messages(request.messages)
    _check_tools(request)
    _check_options(request)
    if not _is_surely_json(request):
        for path, value in _untyped(request, ""):
            _check_json(path, value)


def _is_text(message: Message) -> bool:
    """Whether a message is a text that somebody says, and nothing else."""
    fields = message.__dict__
    return (
        message.__pydantic_fields_set__ == _PLAIN
        and type(fields["content"]) is str
        and fields["role"] in _PLAIN_ROLES
    )


def _check_messages(messages: list[Message]) -> None:
    called: set[str] = set()
    for place, message in enumerate(messages):
        if _is_text(message):
            continue
        path = f"messages[{place}]"
        if message.role == "assistant":
            _check_calls(f"{path}.tool_calls", message.tool_calls or [], called)
        elif not message.model_fields_set <= _EVERYBODYS:
            _check_bystander(path, message)
        if message.role == "tool":
            _check_answer(f"{path}.tool_call_id", message.tool_call_id, called)
        elif message.tool_call_id is not None:
            raise broken(f"{path}.tool_call_id", "Only a tool message answers a call.")
        if message.content is None and not (message.tool_calls or message.refusal or message.audio):
            raise broken(
                f"{path}.content",
                "Content is required, unless an assistant called a tool, refused or spoke."
                if message.role == "assistant"
                else f"A {message.role} message must have content.",
            )


def _check_bystander(path: str, message: Message) -> None:
    for name in _ASSISTANT_ONLY:
        if getattr(message, name):
            raise broken(f"{path}.{name}", "Only an assistant message may have this.")


def _check_calls(path: str, calls: list[ToolCall], called: set[str]) -> None:
    for place, call in enumerate(calls):
        if not call.id:
            raise broken(f"{path}[{place}].id", "A tool call must have an id, so that it can be answered.")
        if call.type == "function" and not (call.function and call.function.name):
            field = "function.name" if call.function else "function"
            raise broken(f"{path}[{place}].{field}", "A tool call must say which function it calls.")
        called.add(call.id)


def _check_answer(path: str, call_id: str | None, called: set[str]) -> None:
    if not call_id:
        raise broken(path, "A tool message must say which call it answers.")
    if call_id not in called:
        raise broken(path, "No earlier assistant message made a tool call with this id.")


def _check_tools(request: ChatCompletion) -> None:
    for place, tool in enumerate(request.tools or ()):
        if tool.type == "function" and tool.function is None:
            raise broken(f"tools[{place}].function", "A tool of type function must describe its function.")
    choice = request.tool_choice
    if isinstance(choice, NamedToolChoice) and choice.type == "function" and choice.function is None:
        raise broken("tool_choice.function", "This tool choice must name the function to call.")


def _check_options(request: ChatCompletion) -> None:
    if request.top_logprobs is not None and not request.logprobs:
        raise broken("top_logprobs", "Set logprobs to true to ask for top_logprobs.")
    if request.stream_options is not None and not request.stream:
        raise broken("stream_options", "Stream options are only for requests with stream set to true.")
    if request.audio is None and "audio" in (request.modalities or ()):
        raise broken("audio", "Audio among the modalities needs audio with a format and a voice.")
    new, old = request.max_completion_tokens, request.max_tokens
    if new is not None and old is not None and new != old:
        raise broken("max_tokens", "It differs from max_completion_tokens, its newer name; give one of them.")
    wanted = request.response_format
    if wanted and wanted.type == "json_schema" and wanted.json_schema is None:
        raise broken("response_format.json_schema", "The json_schema format needs a schema with a name.")


def _untyped(record: Record, path: str) -> Iterator[tuple[str, object]]:
    """The values that no type has checked: unknown fields, schemas and other free objects."""
    extra = record.__pydantic_extra__ or {}
    for name in record.model_fields_set:
        value = None if name in extra else record.__dict__[name]
        if isinstance(value, (Record, list, dict)):
            yield from _untyped_within(value, f"{path}{record.wire_names.get(name, name)}")
    for name, value in extra.items():
        yield f"{path}{name}", value


def _untyped_within(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Record):
        yield from _untyped(value, f"{path}.")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            if not _is_plain(item):
                yield from _untyped_within(item, f"{path}[{place}]")
    else:
        yield path, value


def _is_plain(value: object) -> bool:
    """Whether there is nothing free inside; settles long conversations without walking through them."""
    if isinstance(value, Record):
        return not value.__pydantic_extra__ and SCALARS.issuperset(map(type, value.__dict__.values()))
    return type(value) in SCALARS


def _is_surely_json(request: ChatCompletion) -> bool:
    """Whether what no type has checked is JSON as far as a quick look tells; False: it takes a closer one."""
    records: list[Any] = [request]
    free: list[Any] = []
    for record in records:  # which grows on the way
        if record.__pydantic_extra__:
            free.append(record.__pydantic_extra__)
        fields = record.__dict__
        for name in record.__pydantic_fields_set__:
            value = fields.get(name)
            kind = type(value)
            if kind in SCALARS:
                continue
            if kind is dict:
                free.append(value)
            elif kind is not list:
                if Record not in kind.__mro__:
                    return False
                records.append(value)
            elif value and Record in type(value[0]).__mro__:
                records += value if name != "messages" else [one for one in value if not _is_text(one)]
            else:
                free.append(value)
    return is_plain_json(free)


def is_plain_json(holders: list[Any]) -> bool:
    """Whether nothing in these lists and objects needs a closer look."""
    for holder in holders:  # which grows on the way
        if type(holder) is dict:
            if not _TEXT.issuperset(map(type, holder)):
                return False
            values = holder.values()
        else:
            values = holder
        for value in values:
            kind = type(value)
            if kind in _WORDS:
                continue
            if kind is dict or kind is list:
                holders.append(value)
            elif not (kind is float and math.isfinite(value)):
                return False
        if len(holders) > _ENOUGH:
            return False
    return True


def _check_json(path: str, value: object) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise broken(*_not_json(path, value)) from None


def _not_json(path: str, value: object, depth: int = 100) -> tuple[str, str]:
    """Where in `value` JSON ends, and why."""
    if depth == 0:
        return path.partition("[")[0].partition(".")[0], "It is nested too deeply, or contains itself."
    inner: Iterator[tuple[str, object]] = iter(())
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            return path, "Keys must be text."
        inner = ((f"{path}.{key}", item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        inner = ((f"{path}[{place}]", item) for place, item in enumerate(value))
    elif isinstance(value, float) and not math.isfinite(value):
        return path, "It must be a finite number; JSON has no NaN and no Infinity."
    for item_path, item in inner:
        try:
            json.dumps(item, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return _not_json(item_path, item, depth - 1)
    return path, "It must be a value that JSON can say: text, numbers, true, false, null, lists and objects."
