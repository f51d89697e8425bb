"""Tools, the choice among them and the form of the answer, as Cohere's Chat API v2 wants them.

Cohere takes tool names of letters, digits and underscores alone, one switch that holds all calls to their
schemas, the choices REQUIRED and NONE, and a form of the answer only where there are neither tools nor
documents. What it has no word for is written in those it has.

Sources: Cohere's reference of the chat endpoint, its pages on structured outputs and on errors, 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..chat import ChatCompletion
from .draft import Draft, Json
from .tooling import NO_PARAMETERS, Format, Function, Tooling, answer_tool, format_of, keyword_free

UNHELD = (
    "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf", "minItems", "maxItems",
    "minLength", "maxLength", "uniqueItems", "additionalProperties",
)  # fmt: skip
"""Keywords of JSON Schema that Cohere cannot hold an answer or a call to."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ANSWER = "Gives the final answer. Call it, instead of writing text, once you know the answer."


@dataclass(slots=True)
class Said:
    """What the body says of tools and of the answer's form."""

    tools: list[Json] = field(default_factory=list)
    choice: str | None = None
    """REQUIRED, NONE, or nothing."""
    strict: bool = False
    """Whether all calls are held to their schemas."""
    format: Json | None = None
    """The form of the answer in Cohere's words."""


def wire_name(name: str) -> str:
    """A tool's name in the characters that Cohere takes."""
    if _NAME.fullmatch(name):
        return name
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{plain}" if plain[:1].isdigit() else plain


def wire_names(names: Iterable[str]) -> dict[str, str]:
    """A name on the wire for each tool, no two alike; a name that fits stays as it is."""
    given = list(dict.fromkeys(names))
    said = {name: name for name in given if wire_name(name) == name}
    taken = set(said)
    for name in given:
        if name not in said:
            fitted = wire_name(name)
            while fitted in taken:
                fitted += "_"
            taken.add(fitted)
            said[name] = fitted
    return said


def names_of(request: ChatCompletion) -> dict[str, str]:
    """The names of a request's tools -> their names on the wire."""
    return wire_names(tool.function.name for tool in request.tools or () if tool.function)


def answering(request: ChatCompletion) -> str:
    """The tool whose call would be the answer itself; empty where no answer can come that way."""
    return answer_tool(request) if request.tools and format_of(request) else ""


def say_tools(
    draft: Draft, request: ChatCompletion, tooling: Tooling, form: Format | None, *, documents: bool
) -> Said:
    """Tools, choice and form in Cohere's words; what had to change is reported, what cannot be is refused."""
    for path, _ in tooling.others:
        draft.refuse(path, "the wire knows no tools but functions")
    if tooling.functions and draft.capabilities.tools is False:
        draft.refuse("tools", "the model takes no tools")
        tooling.functions = []
    if tooling.parallel is False and tooling.functions:
        draft.report("parallel_tool_calls", "dropped", "the wire cannot keep the model from several calls")
    said = Said()
    _say_choice(draft, tooling, said, form)
    names = names_of(request)
    said.strict = _strict(draft, tooling.functions)
    said.tools = [_tool(draft, function, names, strict=said.strict) for function in tooling.functions]
    if form is not None:
        _say_form(draft, request, form, said, documents=documents)
    return said


def _say_choice(draft: Draft, tooling: Tooling, said: Said, form: Format | None) -> None:
    """Settle the choice; it may leave tools out of those that are sent."""
    if not tooling.functions:
        if tooling.forced:
            draft.report("tool_choice", "dropped", "there is no tool left to choose")
        return
    mute = draft.capabilities.forced_tools is False  # such models take no choice at all
    if tooling.choice == "none":
        if mute or form is not None:
            reason = "the model takes no tool choice" if mute else "the wire takes no form beside tools"
            draft.report("tool_choice", "emulated", f"{reason}; the tools are left out")
            tooling.functions = []
        else:
            said.choice = "NONE"
    elif tooling.forced:
        if mute:
            draft.refuse("tool_choice", "the model cannot be made to call a tool")
            return
        said.choice = "REQUIRED"
        if tooling.choice == "named":
            _only_named(draft, tooling)


def _only_named(draft: Draft, tooling: Tooling) -> None:
    found = [function for function in tooling.functions if function.name == tooling.named]
    if not found:
        draft.refuse("tool_choice", f"there is no tool {tooling.named!r}")
        return
    tooling.functions = found
    draft.report("tool_choice", "emulated", "the wire cannot name a tool; only this one is sent, as required")


def _tool(draft: Draft, function: Function, names: Mapping[str, str], *, strict: bool) -> Json:
    name = names.get(function.name, function.name)
    path = f"{function.path}.function"
    if name != function.name:
        draft.report(f"{path}.name", "renamed", f"the wire takes letters, digits and _; sent as {name}")
    if function.cache_control is not None:
        draft.report(f"{function.path}.cache_control", "dropped", "Cohere caches unasked")
    schema: Json = {**(function.parameters or NO_PARAMETERS)}
    schema.setdefault("type", "object")
    if strict:
        schema = _held(draft, schema, f"{path}.parameters")
    described = {} if function.description is None else {"description": function.description}
    return {"type": "function", "function": {"name": name, **described, "parameters": schema}}


def _strict(draft: Draft, functions: list[Function]) -> bool:
    """Whether the one switch for all tools is set: where a tool asks for it and all can bear it."""
    asking = [function for function in functions if function.strict]
    if not asking:
        return False
    for function in functions:
        schema = function.parameters or NO_PARAMETERS
        if schema.get("properties") and not schema.get("required"):
            path = f"{asking[0].path}.function.strict"
            reason = f"strict tools need a required parameter, and {function.name} has none"
            draft.report(path, "dropped", reason)
            return False
    if len(asking) < len(functions):
        draft.report("tools", "emulated", "the wire holds all tools to their schemas or none; all are held")
    return True


def _say_form(draft: Draft, request: ChatCompletion, form: Format, said: Said, *, documents: bool) -> None:
    """Write the answer's form: as such where there are no tools, else as a tool whose call is the answer."""
    if documents:
        draft.refuse("response_format", "the wire takes no form of the answer beside documents")
        return
    schema = _schema(draft, form)
    if schema is None:
        return
    if not said.tools:
        if form.kind == "json_schema" and draft.capabilities.json_schema is False:
            draft.refuse("response_format", "the model cannot be held to a schema")
            return
        said.format = {"type": "json_object"}
        if schema.get("properties"):
            said.format["json_schema"] = schema
        elif form.kind == "json_schema":
            draft.report("response_format", "emulated", "a schema without properties is any JSON object")
        return
    if said.choice == "REQUIRED":
        draft.report("response_format", "dropped", "a tool has to be called, and its call is no text")
    elif draft.capabilities.forced_tools is False:
        draft.refuse("response_format", "the wire takes no form beside tools, nor can a call be forced")
    else:
        name = answer_tool(request)
        said.tools.append(
            {"type": "function", "function": {"name": name, "description": _ANSWER, "parameters": schema}}
        )
        said.choice = "REQUIRED"
        reason = f"the wire takes no form beside tools; a call of {name} is the answer"
        draft.report("response_format", "emulated", reason)


def _schema(draft: Draft, form: Format) -> Json | None:
    """The schema of the answer as Cohere can hold it; None where it has been refused."""
    if form.schema.get("type", "object") != "object":
        draft.refuse("response_format", "the wire takes only schemas of objects")
        return None
    schema = _held(draft, {"type": "object", **form.schema}, "response_format")
    if form.description and "description" not in schema:
        schema["description"] = form.description
    return schema


def _held(draft: Draft, schema: Json, path: str) -> Json:
    """A schema without the keywords that Cohere cannot keep to."""
    kept: Any = keyword_free(schema, UNHELD)
    if kept != schema:
        draft.report(path, "emulated", f"the wire holds to none of {', '.join(UNHELD)}; they are left out")
    return dict(kept)
