"""The fields around an answer, JSON read with care, and the errors of an answer that is none."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn
from uuid import uuid4

from pydantic import ValidationError
from pydantic_core import from_json

from ..chat import Cost
from ..dialect import Target
from ..errors import EmptyResponseError, MalformedResponseError
from .openai_choices import ShapeError
from .openai_usage import UsageError, usage_fields

_LATEST = 10**15
_OURS = frozenset({"cost", "trace", "reset", "responseStatus"})


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)


def strict(data: bytes | str) -> Any:
    """The value in a JSON text whose texts are whole Unicode. Raises ValueError, also for deep nesting."""
    return from_json(data, allow_inf_nan=False, cache_strings="keys")


def load(text: str) -> Any:
    """The value in a JSON text. Raises ValueError or RecursionError; NaN and infinity are no JSON."""
    try:
        return strict(text)
    except ValueError:  # the slower parser allows more, such as half a surrogate pair, and says what is wrong
        return _JSON.decode(text)


def loaded(text: str) -> Any:
    """The value in a JSON text, or None where it is none."""
    try:
        return load(text)
    except (ValueError, RecursionError):
        return None


def fold_usage(payload: dict[str, Any], target: Target) -> None:
    """Bring the token counts to their one meaning, and take up the price that the host reports."""
    if not (payload.get("usage") or payload.get("x_groq") or payload.get("timings")):
        payload["usage"] = None
        return
    usage = usage_fields(payload, target)
    payload["usage"] = usage
    if usage is not None and (reported := usage.get("reported_cost")):
        payload["cost"] = Cost(amount=Decimal(reported), basis="reported")


def own_fields(payload: dict[str, Any], target: Target) -> None:
    """Make room for the fields that are ours: what a host says under their names moves aside.

    A router's word for the host behind it goes to `upstream_provider`, the others to `native_…`.
    """
    if payload.get("provider") is not None:
        payload["upstream_provider"] = payload["provider"]
    payload["provider"] = target.provider
    if not _OURS.isdisjoint(payload):
        for name in _OURS & payload.keys():
            payload[f"native_{name}"] = payload.pop(name)
    metadata = payload.get("metadata")
    if metadata is not None and not _is_metadata(metadata):
        payload["native_metadata"] = payload.pop("metadata")


def _is_metadata(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def identity(payload: dict[str, Any]) -> str:
    """The answer's id; empty where it has none."""
    value = payload.get("id")
    if type(value) is str:
        return value
    return str(value) if isinstance(value, str | int) and value else ""


def made_identity() -> str:
    """An id for an answer that came without one."""
    return f"chatcmpl-{uuid4().hex}"


def created(payload: dict[str, Any]) -> int:
    """When the answer was made, in Unix seconds; 0 where it does not say."""
    value = payload.get("created")
    if type(value) is int and 0 <= value < _LATEST:
        return value
    if value is None or value == "":
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise ShapeError("created is no time in Unix seconds")
    return int(value)


def text(payload: dict[str, Any], name: str) -> str:
    """The field `name`, empty where it is missing."""
    value = payload.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ShapeError(f"{name} is {kind(value)}, not text")
    return value


def kind(value: Any) -> str:
    """A JSON value's kind, as a word for messages."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def reason(error: Exception) -> str:
    """Why a text could not be read as JSON, without quoting it."""
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return str(error).partition(";")[0][:120]


def empty(target: Target, message: str) -> EmptyResponseError:
    """The error of an answer that says nothing."""
    return EmptyResponseError(message, provider=target.provider, model=target.model)


def malformed(target: Target, message: str) -> MalformedResponseError:
    """The error of an answer that is none."""
    return MalformedResponseError(message, provider=target.provider, model=target.model)


def misshapen(target: Target, error: ShapeError | UsageError | ValidationError) -> MalformedResponseError:
    """Which field is wrong and how, without quoting the answer."""
    if not isinstance(error, ValidationError):
        return malformed(target, str(error))
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]).lstrip(".")
    return malformed(target, f"{path}: {first['msg']}")
