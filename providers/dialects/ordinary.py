"""Ordinary answers and chunks on OpenAI's wire, made into models without validation.

The values come from a strict JSON parser and have been brought to the contract's shape. Where each known
field holds what it nearly always holds, the model is made as it is; for anything else the answer is None and
validation decides, with its conversions and its errors. Both ways give equal models.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from ..chat import (
    Annotation,
    AudioAnswer,
    ChatChunk,
    ChatResponse,
    Choice,
    ChunkChoice,
    CompletionTokensDetails,
    Cost,
    CustomCall,
    CustomCallDelta,
    Delta,
    FunctionCall,
    FunctionCallDelta,
    Logprobs,
    PromptTokensDetails,
    Record,
    ResponseMessage,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from ..chat.making import blank, made, record_of
from .draft import Json

R = TypeVar("R", bound=Record)

_DELTA_TEXTS = ("role", "content", "refusal", "reasoning")
_MESSAGE_TEXTS = ("content", "refusal", "reasoning")
_ENVELOPE_TEXTS = ("system_fingerprint", "service_tier", "provider")


class _UnusualError(Exception):
    """A value that validation has to look at."""


def chunk_of(payload: Json) -> ChatChunk | None:
    """The chunk of one event's fields; None where validation is needed."""
    try:
        return _envelope(ChatChunk, payload, [_chunk_choice(choice) for choice in payload["choices"]])
    except (_UnusualError, ValidationError):
        return None


def answer_of(payload: Json) -> ChatResponse | None:
    """The answer of a body's fields; None where validation is needed."""
    try:
        return _envelope(ChatResponse, payload, [_choice(choice) for choice in payload["choices"]])
    except (_UnusualError, ValidationError):
        return None


def _parted(record: type[Record], fields: Json) -> tuple[Json, Json]:
    """The known fields among the record's defaults, and the unknown ones."""
    known = blank(record)
    values = {**known, **fields}
    if len(values) == len(known):
        return values, {}
    return values, {name: values.pop(name) for name in fields if name not in known}


def _texts(values: Json, names: tuple[str, ...]) -> None:
    for name in names:
        value = values[name]
        if value is not None and type(value) is not str:
            raise _UnusualError


def _envelope(record: type[R], payload: Json, choices: list[Any]) -> R:
    values, extra = _parted(record, payload)
    if (
        type(values["id"]) is not str
        or type(values["model"]) is not str
        or type(values["created"]) is not int
    ):
        raise _UnusualError
    _texts(values, _ENVELOPE_TEXTS)
    if values["usage"] is not None:
        values["usage"] = _usage(values["usage"])
    if values["metadata"] is not None:
        values["metadata"] = _metadata(values["metadata"])
    cost = values["cost"]
    if values["responseStatus"] is not None or (cost is not None and type(cost) is not Cost):
        raise _UnusualError
    values["choices"] = choices
    return made(record, values, set(payload), extra)


def _metadata(value: Any) -> dict[str, str]:
    if type(value) is not dict or not all(type(text) is str for text in value.values()):
        raise _UnusualError
    return dict(value)


def _usage(fields: Any) -> Usage:
    """A Usage of the fields that `usage_fields` gives, whose counts are whole numbers."""
    if type(fields) is not dict:
        raise _UnusualError
    values, extra = _parted(Usage, fields)
    heard, said = values["prompt_tokens_details"], values["completion_tokens_details"]
    if heard is not None:
        values["prompt_tokens_details"] = record_of(PromptTokensDetails, heard)
    if said is not None:
        values["completion_tokens_details"] = record_of(CompletionTokensDetails, said)
    return made(Usage, values, set(fields), extra)


def _chunk_choice(fields: Json) -> ChunkChoice:
    values, extra = _parted(ChunkChoice, fields)
    _end(values)
    values["delta"] = _delta(values["delta"])
    return made(ChunkChoice, values, set(fields), extra)


def _choice(fields: Json) -> Choice:
    values, extra = _parted(Choice, fields)
    _end(values)
    values["message"] = _message(values["message"])
    return made(Choice, values, set(fields), extra)


def _end(values: Json) -> None:
    """What choices of both kinds have."""
    reason, logprobs = values["finish_reason"], values["logprobs"]
    if type(values["index"]) is not int or (reason is not None and type(reason) is not str):
        raise _UnusualError
    if logprobs is not None:
        values["logprobs"] = Logprobs.model_validate(logprobs)


def _delta(fields: Any) -> Delta:
    if type(fields) is not dict:
        raise _UnusualError
    values, extra = _parted(Delta, fields)
    _texts(values, _DELTA_TEXTS)
    _told(values)
    if values["tool_calls"] is not None:
        values["tool_calls"] = [_call_delta(call) for call in _objects(values["tool_calls"])]
    return made(Delta, values, set(fields), extra)


def _message(fields: Any) -> ResponseMessage:
    if type(fields) is not dict:
        raise _UnusualError
    values, extra = _parted(ResponseMessage, fields)
    if values["role"] != "assistant":
        raise _UnusualError
    _texts(values, _MESSAGE_TEXTS)
    _told(values)
    if values["tool_calls"] is not None:
        values["tool_calls"] = [_call(call) for call in _objects(values["tool_calls"])]
    return made(ResponseMessage, values, set(fields), extra)


def _told(values: Json) -> None:
    """What messages and deltas hold besides text and calls."""
    if values["function_call"] is not None:
        raise _UnusualError
    if values["reasoning_details"] is not None:
        values["reasoning_details"] = [dict(detail) for detail in _objects(values["reasoning_details"])]
    if values["annotations"] is not None:
        values["annotations"] = [Annotation.model_validate(item) for item in _objects(values["annotations"])]
    if values["audio"] is not None:
        values["audio"] = AudioAnswer.model_validate(values["audio"])


def _objects(value: Any) -> list[Json]:
    if type(value) is not list or not all(type(item) is dict for item in value):
        raise _UnusualError
    return value


def _call_delta(fields: Json) -> ToolCallDelta:
    values, extra = _parted(ToolCallDelta, fields)
    _texts(values, ("id", "type"))
    if type(values["index"]) is not int:
        raise _UnusualError
    if values["function"] is not None:
        values["function"] = _called(FunctionCallDelta, values["function"])
    if values["custom"] is not None:
        values["custom"] = _called(CustomCallDelta, values["custom"])
    return made(ToolCallDelta, values, set(fields), extra)


def _call(fields: Json) -> ToolCall:
    values, extra = _parted(ToolCall, fields)
    if type(values["id"]) is not str or type(values["type"]) is not str or not values["type"]:
        raise _UnusualError
    if values["function"] is not None:
        values["function"] = _called(FunctionCall, values["function"], whole=True)
    if values["custom"] is not None:
        values["custom"] = _called(CustomCall, values["custom"], whole=True)
    return made(ToolCall, values, set(fields), extra)


def _called(record: type[R], fields: Any, *, whole: bool = False) -> R:
    """What a call calls: two texts, which may be missing from a piece but are never null in a whole call."""
    if type(fields) is not dict:
        raise _UnusualError
    values, extra = _parted(record, fields)
    for value in values.values():
        if type(value) is not str and (whole or value is not None):
            raise _UnusualError
    return made(record, values, set(fields), extra)
