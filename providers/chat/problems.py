"""Turns what pydantic says about a bad request into one sentence about one field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import RequestError

_LONGEST_NAME = 64
"""Characters of a name from the request that a path shows, so that no error grows with its input."""

_BY_FIELD = {
    "content": "It must be text or a list of content parts.",
    "stop": "It must be text or a list of texts.",
    "tool_choice": "It must be none, auto, required, or an object that names a function.",
    "function_call": "It must be none, auto, or an object that names a function.",
}
"""What fields expect that take more than one shape."""

_TYPES = {
    "string_type": "It must be text.",
    "int_type": "It must be a whole number.",
    "float_type": "It must be a number.",
    "bool_type": "It must be true or false.",
    "list_type": "It must be a list.",
    "dict_type": "It must be an object.",
    "model_type": "It must be an object.",
    "model_attributes_type": "It must be an object.",
    "missing": "It is required.",
    "finite_number": "It must be a finite number; JSON has no NaN and no Infinity.",
    "int_parsing_size": "It has too many digits.",
}

_WITH_LIMITS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda context: f"It must be at least {context['ge']}.",
    "less_than_equal": lambda context: f"It must be at most {context['le']}.",
    "string_too_long": lambda context: f"It must have at most {context['max_length']} characters.",
    "string_too_short": lambda _: "It must not be empty.",
    "too_long": lambda context: f"It may hold at most {context['max_length']} entries.",
    "too_short": lambda _: "It must not be empty.",
    "literal_error": lambda context: f"It must be {context['expected']}.",
    "contract": lambda context: str(context["sentence"]),
}

_PATTERNS = {
    "name": "It may hold only letters, digits, underscores and dashes.",
    "url": "It must be an http or https address or a data URL.",
}


def request_error(error: ValidationError, given: Mapping[str, Any]) -> RequestError:
    """The first problem as a `RequestError`; its message never repeats what was given."""
    problems = [
        (_path(problem, given), problem) for problem in error.errors(include_url=False, include_input=False)
    ]
    first = problems[0][0]
    # A field of several shapes is reported once for each; the one that got furthest is about the shape meant.
    path, problem = max(
        ((path, problem) for path, problem in problems if path[: len(first)] == first),
        key=lambda found: (len(found[0]), not found[1]["type"].endswith("_type")),
    )
    several = sum(other == path for other, _ in problems) > 1
    field = problem["ctx"]["field"] if problem["type"] == "contract" else _written(path)
    return RequestError(_sentence(path, problem, several), field=field)


def _sentence(path: tuple[str | int, ...], problem: ErrorDetails, several: bool) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    name = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
    if several and name in _BY_FIELD:
        return _BY_FIELD[name]
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(name, "It is not spelled as it must be.")
    if kind in _WITH_LIMITS:
        return _WITH_LIMITS[kind](context)
    return _TYPES.get(kind, "It is not what the contract says.")


def _path(problem: ErrorDetails, given: object) -> tuple[str | int, ...]:
    """The way to the problem through what was given, without pydantic's own words for branches of a union."""
    location = problem["loc"]
    if location and location[-1] == "[key]":
        location = location[:-2]  # a key that is wrong itself says nothing as part of a path
    path: list[str | int] = []
    here: object = given
    for step in location:
        found, here_next = _enter(here, step)
        if found:
            path.append(step)
            here = here_next
    if problem["type"] == "missing":
        path.append(location[-1])
    return tuple(path)


def _enter(here: object, step: str | int) -> tuple[bool, object]:
    if isinstance(step, int):
        inside = isinstance(here, Sequence) and not isinstance(here, str) and step < len(here)
        return inside, here[step] if inside else None  # type: ignore[index]
    if isinstance(here, Mapping):
        return step in here, here.get(step)
    return False, None


def _written(path: tuple[str | int, ...]) -> str | None:
    text = ""
    for step in path:
        text += (
            f"[{step}]"
            if isinstance(step, int)
            else f".{step[:_LONGEST_NAME]}"
            if text
            else step[:_LONGEST_NAME]
        )
    return text or None
