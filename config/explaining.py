"""What pydantic found, in words for whoever wrote the settings: no type names, and the nearest right key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .findings import Finding, Path, spell, value_at, written_path
from .policies import Breaker, Hedge, Limits, Retry, RetryBudget, SlowStream, Timeouts
from .sections import Kind
from .settings import (
    NODE_KEYS,
    ChainNode,
    Defaults,
    KeyNode,
    PoolNode,
    PriceRow,
    PriceTier,
    ProviderSettings,
    Route,
    RouteNode,
    Settings,
    TargetNode,
)
from .suggestions import closest, did_you_mean

_ALSO_AT_TOP = ("include",)
_NAMED: dict[str, tuple[str, type[BaseModel]]] = {
    "providers": ("provider", ProviderSettings),
    "routes": ("route", Route),
    "prices": ("price", PriceRow),
}
_NESTED: dict[str, type[BaseModel]] = {
    "retry": Retry,
    "timeouts": Timeouts,
    "breaker": Breaker,
    "retry_budget": RetryBudget,
    "limits": Limits,
    "hedge": Hedge,
    "slow_stream": SlowStream,
}
_NODES: dict[str, type[BaseModel]] = {
    "target": TargetNode,
    "route": RouteNode,
    "chain": ChainNode,
    "pool": PoolNode,
}
_MARKS = ("[key]", *(f"<{key}>" for key in NODE_KEYS))
"""Steps of pydantic's locations that no user wrote."""


def explain(error: ValidationError, value: object) -> list[Finding]:
    """The findings in `error`, by their paths in `value`, which is what the user wrote."""
    errors = error.errors(include_url=False, include_input=False)
    misspelled = {_intended(details, value) for details in errors if details["type"] == "extra_forbidden"}
    findings: list[Finding] = []
    for details in errors:
        if details["type"] == "missing" and details["loc"] in misspelled:
            continue  # the key is there, only misspelled, and that is told already
        finding = _finding(details, value)
        if finding is not None and finding not in findings:
            findings.append(finding)
    return findings


def _intended(details: ErrorDetails, value: object) -> tuple[int | str, ...]:
    """The error location that an unknown key would have if it were spelled as it was probably meant."""
    path = written_path(value, _steps(details))
    near = closest(str(path[-1]), _model(path[:-1], value)[0].model_fields)
    return (*details["loc"][:-1], near or "")


def _steps(details: ErrorDetails) -> Path:
    """An error's location without what is no key or index: the tags of unions and the mark of keys."""
    return tuple(step for step in details["loc"] if step not in _MARKS)


def _finding(details: ErrorDetails, value: object) -> Finding | None:
    loc = details["loc"]
    at_key = bool(loc) and loc[-1] == "[key]"
    full = _steps(details)
    path = written_path(value, full)
    match details["type"]:
        case "extra_forbidden":
            return Finding(path, _unknown_key(path, value), at_key=True)
        case "missing":
            return Finding(path, f"{_name(path)} needs {str(full[-1])!r}")
        case "too_short" if value_at(value, path):
            return None  # the list is not empty; its items' own findings stand elsewhere
    said = _said(details, value_at(value, path))
    return Finding(path, said if at_key or not path else f"{spell(path)}: {said}", at_key=at_key)


def _said(details: ErrorDetails, value: object) -> str:
    context: Mapping[str, Any] = details.get("ctx", {})
    match details["type"]:
        case "value_error":
            return str(context["error"])
        case "node":
            return details["msg"]
        case "literal_error":
            return _not_one_of(context["expected"], value)
        case "greater_than_equal":
            return f"this must be at least {context['ge']:g}"
        case "greater_than":
            return f"this must be more than {context['gt']:g}"
        case "less_than_equal":
            return f"this must be at most {context['le']:g}"
        case "string_pattern_mismatch":
            return f"{value!r} is no target; write provider/model, without spaces"
        case kind:
            return _EXPECTED.get(kind, details["msg"])


_EXPECTED = {
    "string_type": "text is expected here; put quotes around it",
    "string_too_short": "this text is empty",
    "too_short": "the list is empty; name at least one target",
    "tuple_type": "a list is expected here",
    "mapping_type": "a mapping of names to values is expected here",
    "dict_type": "a mapping of names to values is expected here",
    "model_type": "a mapping of keys to values is expected here",
    "model_attributes_type": "a mapping of keys to values is expected here",
    "int_type": "a whole number is expected here",
    "int_from_float": "a whole number is expected here",
    "int_parsing_size": "this number is too large",
    "float_type": "a number is expected here",
    "finite_number": "a finite number is expected here",
}


def _not_one_of(expected: str, value: object) -> str:
    words = [piece for piece in expected.split("'") if piece.strip() not in ("", ",", "or")]
    near = did_you_mean(value, words) if isinstance(value, str) else ""
    listed = near or f"; write one of {', '.join(words)}"
    what = f"{value!r} is not known here" if isinstance(value, str) else "this is not known here"
    if set(words) == set(get_args(Kind)):
        what = f"{value!r} is no kind of error" if isinstance(value, str) else "a kind of error is a word"
    return what + listed


def _unknown_key(path: Path, value: object) -> str:
    key = str(path[-1])
    model, where = _model(path[:-1], value)
    options = [*model.model_fields, *(_ALSO_AT_TOP if model is Settings else ())]
    near = did_you_mean(key, options)
    return f"unknown key {key!r} in {where}" + (near or f"; it takes {', '.join(options)}")


def _model(path: Path, value: object) -> tuple[type[BaseModel], str]:
    """The model that stands at `path`, and its name in words."""
    if not path:
        return Settings, "the settings"
    if len(path) == 2 and path[0] in _NAMED:
        return _NAMED[str(path[0])][1], _name(path)
    last = path[-1]
    if isinstance(last, int):
        if path[0] == "prices":
            return PriceTier, _name(path)
        if path[-2] == "api_keys":
            return KeyNode, _name(path)
        node = value_at(value, path)
        tags = [tag for tag in _NODES if isinstance(node, Mapping) and tag in node]
        return _NODES[tags[0]] if tags else TargetNode, _name(path)
    return _NESTED.get(last, Defaults), _name(path)


def _name(path: Path) -> str:
    """A section in words: `route 'x'`, `retry of route 'x'`, `routes.x.chain[0]`."""
    if len(path) >= 2 and path[0] in _NAMED:
        named = f"{_NAMED[str(path[0])][0]} {str(path[1])!r}"
        if len(path) == 2:
            return named
        if len(path) == 3 and path[2] in _NESTED:
            return f"{path[2]} of {named}"
    if not path:
        return "the settings"
    return spell(path)
