"""Tools, the choice among them, and the format of the answer, as one value each for any wire to write."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import isfinite
from typing import Any, Literal

from ..chat import ChatCompletion
from .draft import Draft, Json

NO_PARAMETERS: Json = {"type": "object", "properties": {}}
"""The schema of a function that takes nothing."""


@dataclass(slots=True)
class Function:
    """A function that the model may call."""

    path: str
    """Where it stands in the request."""
    name: str
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None
    cache_control: Json | None = None


@dataclass(slots=True)
class Tooling:
    """The tools of a request and what is to be done with them."""

    functions: list[Function] = field(default_factory=list)
    """Those that the choice allows."""
    others: list[tuple[str, Json]] = field(default_factory=list)
    """Tools that are no functions, with their paths: custom ones, and those of one provider alone."""
    choice: Literal["auto", "none", "required", "named"] = "auto"
    named: str = ""
    """The function that must be called, for `named`."""
    parallel: bool | None = None
    """Whether several may be called at once; None where nothing is said."""
    chosen: bool = False
    """Whether the request says a choice at all."""

    @property
    def forced(self) -> bool:
        """Whether the model has to call a tool."""
        return self.choice in {"required", "named"}


def take_tools(draft: Draft) -> Tooling:
    """Take tools, tool_choice and parallel_tool_calls out of the payload.

    A choice of `allowed_tools` leaves those alone, and becomes auto or required.
    """
    tooling = Tooling()
    for place, tool in enumerate(draft.take("tools") or ()):
        path = f"tools[{place}]"
        function = tool.get("function")
        if tool.get("type") == "function" and function:
            tooling.functions.append(
                Function(
                    path,
                    function["name"],
                    function.get("description"),
                    function.get("parameters"),
                    function.get("strict"),
                    tool.get("cache_control"),
                )
            )
        else:
            tooling.others.append((path, tool))
    choice, parallel = draft.take("tool_choice"), draft.take("parallel_tool_calls")
    if not (tooling.functions or tooling.others):
        if choice not in (None, "auto", "none"):
            draft.report("tool_choice", "dropped", "there are no tools to choose from")
        return tooling
    tooling.parallel = parallel
    tooling.chosen = choice is not None
    _choose(tooling, choice, draft)
    return tooling


def _choose(tooling: Tooling, choice: Any, draft: Draft) -> None:
    if choice is None or isinstance(choice, str):
        tooling.choice = choice or "auto"  # type: ignore[assignment]  # the contract knows no other words
        return
    kind = choice.get("type")
    if kind == "function":
        tooling.choice, tooling.named = "named", choice["function"]["name"]
    elif kind == "allowed_tools":
        allowed = choice.get("allowed_tools") or choice
        names = {_named(tool) for tool in allowed.get("tools") or ()}
        tooling.functions = [one for one in tooling.functions if one.name in names]
        tooling.others = [(path, tool) for path, tool in tooling.others if _named(tool) in names]
        tooling.choice = "required" if allowed.get("mode") == "required" else "auto"
        draft.report("tool_choice", "emulated", "only the allowed tools are sent")
    else:
        draft.refuse("tool_choice", f"the wire cannot say a tool choice of {kind}")


def _named(tool: Json) -> Any:
    inner = tool.get(str(tool.get("type")))
    return inner.get("name") if isinstance(inner, dict) else tool.get("name")


@dataclass(frozen=True, slots=True)
class Format:
    """The form that the answer is to have."""

    kind: Literal["json_object", "json_schema"]
    name: str = "answer"
    schema: Json = field(default_factory=lambda: {"type": "object"})
    strict: bool | None = None
    description: str | None = None


def take_format(draft: Draft) -> Format | None:
    """Take response_format out of the payload; None where any text will do."""
    return _format(draft.take("response_format"))


def format_of(request: ChatCompletion) -> Format | None:
    """The same out of a request, for a decoder that has to undo what stood for it."""
    wanted = request.response_format
    return None if wanted is None else _format(wanted.wire())


def _format(wanted: Json | None) -> Format | None:
    if wanted is None or wanted["type"] not in {"json_object", "json_schema"}:
        return None
    if wanted["type"] == "json_object":
        return Format("json_object")
    said = wanted["json_schema"]
    return Format(
        "json_schema",
        said.get("name") or "answer",
        said.get("schema") or {"type": "object"},
        said.get("strict"),
        said.get("description"),
    )


def answer_tool(request: ChatCompletion) -> str:
    """The tool whose call stands for an answer of a wanted format; no tool of the caller's has its name."""
    taken = {tool.function.name for tool in request.tools or () if tool.function}
    name = "give_answer"
    while name in taken:
        name += "_"
    return name


def arguments_of(text: str, path: str, draft: Draft) -> Json:
    """The arguments of a call as an object; what is none is wrapped up and reported."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        value = text
    if isinstance(value, dict):
        return value
    draft.report(path, "emulated", "arguments that are no JSON object are sent as the text `arguments`")
    return {"arguments": text}


def _finite(text: str) -> float:
    """A number that can be written as JSON again; ValueError for NaN and what is too large."""
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is no JSON number")
    return value


def fitted_id(identity: str, allowed: str, most: int = 64) -> str:
    """A tool call id as a wire takes it: characters of the class `allowed`, at most `most` of them.

    One that fits stays as it is; any other is replaced by one made from it, the same for a call and its
    result and wherever it occurs.
    """
    if 0 < len(identity) <= most and re.fullmatch(f"[{allowed}]+", identity):
        return identity
    return f"call_{sha256(identity.encode('utf-8', 'surrogatepass')).hexdigest()[: min(24, most - 5)]}"


def keyword_free(schema: Any, dropped: Sequence[str]) -> Any:
    """A JSON Schema without some keywords at any depth; names of properties are no keywords."""
    if isinstance(schema, list):
        return [keyword_free(item, dropped) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key in dropped:
            continue
        if key in {"properties", "$defs", "definitions", "patternProperties"} and isinstance(value, dict):
            kept[key] = {name: keyword_free(inner, dropped) for name, inner in value.items()}
        elif key in {"enum", "const", "default", "examples", "required"}:
            kept[key] = value
        else:
            kept[key] = keyword_free(value, dropped)
    return kept
