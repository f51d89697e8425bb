"""Tools, the choice among them, and the form of the answer, in Anthropic's words.

Source: tool types of anthropic 2.12; Claude docs on tool use and structured outputs, read 2026-11-21.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from .anthropic_caching import Marks
from .anthropic_schema import compiled, open_ended
from .draft import Draft, Json
from .tooling import NO_PARAMETERS, Format, Function, Tooling

WEB_SEARCH = "web_search_20250305"
"""The version of the provider's own web search that stands for `web_search_options`."""

_OWN_TYPE = re.compile(r".+_\d{8}|mcp_toolset")
_OWN_FIELDS = frozenset({"defer_loading", "eager_input_streaming", "input_examples", "allowed_callers"})
_WORDS = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How the wanted form of the answer is asked for."""

    way: Literal["free", "compiled", "tool", "words"] = "free"
    """Not at all, by a schema of the wire's own, by a tool whose arguments are the answer, or in words."""
    schema: Json = field(default_factory=dict)
    """The schema for `compiled` and `tool`."""
    line: str = ""
    """A line of instruction for the end of the system text."""


def can_force(draft: Draft) -> bool:
    """Whether a choice may make the model call a tool in this request."""
    thinks = draft.active and "tool_choice.forced" in draft.thinking.excludes
    return draft.capabilities.forced_tools is not False and not thinks


def plan_form(wanted: Format | None, tooling: Tooling, name: str, draft: Draft) -> AnswerForm:
    """Choose how the form of the answer is asked for, and report what only stands for it.

    `name` is that of the tool that may stand for the answer.
    """
    if wanted is None:
        return AnswerForm()
    closed = wanted.kind == "json_schema" and not open_ended(wanted.schema)
    if closed and draft.capabilities.json_schema is not False:
        schema, changed = compiled(wanted.schema)
        _report_schema(changed, "response_format.json_schema.schema", draft)
        return AnswerForm("compiled", schema)
    if tooling.forced:
        draft.report("response_format", "dropped", "a tool must be called, so that there is no other answer")
        return AnswerForm()
    if closed:
        line = "" if can_force(draft) else f"Give your final answer by calling the tool {name}."
        draft.report("response_format", "emulated", "a tool with the schema stands for the answer")
        return AnswerForm("tool", wanted.schema, line)
    if can_force(draft) and not draft.active:
        draft.report("response_format", "emulated", "a tool that takes any object stands for the answer")
        return AnswerForm("tool", {"type": "object"})
    draft.report("response_format", "emulated", "the wire has no JSON mode; asked for in the system text")
    return AnswerForm("words", line="Answer with one JSON object and nothing else, without a code fence.")


def write_tools(
    tooling: Tooling, given: list[Json], form: AnswerForm, wanted: Format | None, name: str, draft: Draft,
    marks: Marks,
) -> list[Json]:  # fmt: skip
    """The body's tools: functions, the provider's own, web search, and the one that stands for the answer.

    `given` are the request's tools as they came, for the fields that only this wire has.
    """
    tools = [_function(one, given, draft, marks) for one in tooling.functions]
    tools += [tool for path, one in tooling.others if (tool := _other(one, path, draft, marks))]
    search = draft.take("web_search_options")
    if search is not None:
        _add_search(tools, search, draft)
    if form.way == "tool":
        about = (wanted and wanted.description) or "Gives the final answer."
        tools.append({"name": name, "description": about, "input_schema": {"type": "object", **form.schema}})
    return tools


def _function(function: Function, given: list[Json], draft: Draft, marks: Marks) -> Json:
    path = f"{function.path}.function"
    tool: Json = {"name": function.name}
    if function.description:
        tool["description"] = function.description
    schema = {"type": "object", **(function.parameters or NO_PARAMETERS)}
    if function.strict and draft.capabilities.json_schema is False:
        draft.report(f"{path}.strict", "dropped", "the model takes no strict schemas")
    elif function.strict:
        schema, changed = compiled(schema)
        _report_schema(changed, f"{path}.parameters", draft)
        tool["strict"] = True
    tool["input_schema"] = schema
    marks.place(function.cache_control, tool, function.path)
    whole = given[int(function.path.removeprefix("tools[").removesuffix("]"))]
    known = {"type", "function", "cache_control", "name", "description", "parameters", "strict"}
    for field_name, value in {**whole, **whole["function"]}.items():
        if field_name in _OWN_FIELDS:
            tool[field_name] = value
        elif field_name not in known:
            draft.report(f"{function.path}.{field_name}", "dropped", "the wire has no such field")
    return tool


def _report_schema(changed: list[str], path: str, draft: Draft) -> None:
    if changed:
        words = ", ".join(changed)
        draft.report(path, "dropped", f"no schema here can say {words}; told in words where it may be")


def _other(tool: Json, path: str, draft: Draft, marks: Marks) -> Json | None:
    """A tool that is no function: the provider's own pass as they are."""
    kind = str(tool.get("type"))
    if not (_OWN_TYPE.fullmatch(kind) or (kind == "custom" and "input_schema" in tool)):
        draft.refuse(path, f"the wire takes functions and tools of Anthropic's own, not a {kind} tool")
        return None
    written = dict(tool)
    marks.place(written.pop("cache_control", None), written, path)
    return written


def _add_search(tools: list[Json], options: Json, draft: Draft) -> None:
    """Anthropic's web search in place of OpenAI's."""
    if any(tool.get("name") == "web_search" for tool in tools):
        draft.report("web_search_options", "dropped", "there is a tool named web_search already")
        return
    tool: Json = {"type": WEB_SEARCH, "name": "web_search"}
    for name, value in options.items():
        if name == "user_location" and isinstance(value, dict):
            place = value.get("approximate")
            tool[name] = {"type": "approximate", **(place if isinstance(place, dict) else value)}
        elif name in {"allowed_domains", "blocked_domains", "max_uses"}:
            tool[name] = value
        elif name == "filters" and isinstance(value, dict):
            tool.update({key: value[key] for key in ("allowed_domains", "blocked_domains") if key in value})
        else:
            draft.report(f"web_search_options.{name}", "dropped", "the wire has no such option")
    tools.append(tool)
    draft.report("web_search_options", "emulated", f"{WEB_SEARCH} stands for it")


def write_choice(
    tooling: Tooling, form: AnswerForm, name: str, draft: Draft, tools: list[Json]
) -> Json | None:
    """The body's `tool_choice`, None where nothing needs to be said; may take tools off the list."""
    if not tools:
        return None
    choice: Json = {"type": _WORDS[tooling.choice]}
    if tooling.choice == "named":
        choice["name"] = tooling.named
    said = tooling.chosen
    if tooling.forced and not can_force(draft):
        _only(tooling, tools, draft)
        choice = {"type": "auto"}
    elif form.way == "tool" and can_force(draft):
        alone = len(tools) == 1 or tooling.choice == "none"
        choice, said = ({"type": "tool", "name": name} if alone else {"type": "any"}), True
    elif form.way == "tool" and tooling.choice == "none":
        tools[:] = tools[-1:]
        choice = {"type": "auto"}
    if tooling.parallel is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
        said = True
    return choice if said else None


def _only(tooling: Tooling, tools: list[Json], draft: Draft) -> None:
    """What comes nearest to forcing: nothing else is there to be called."""
    draft.report("tool_choice", "emulated", "the model cannot be made to call a tool now; it may choose to")
    if tooling.named:
        tools[:] = [tool for tool in tools if tool.get("name") == tooling.named]


def text_of_input(value: Any) -> str:
    """A call's input as JSON text, spaced as the provider streams it."""
    if isinstance(value, str):
        return value or "{}"
    return json.dumps({} if value is None else value, ensure_ascii=False)
