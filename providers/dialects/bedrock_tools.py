"""Tools, the choice among them, and an answer of a given form, in Converse's words.

Source: botocore 1.44.5, shapes `ToolConfiguration` and `OutputConfig`; Bedrock user guide on structured
outputs, read 2026-11-21. The wire has no word for "call no tool" and none for "one call at a time", but
Claude takes its own words for both among the model's own fields.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

from .anthropic_schema import compiled, open_ended
from .bedrock_blocks import tool_name
from .bedrock_caching import Marks
from .draft import Draft, Json
from .tooling import NO_PARAMETERS, Format, Function, Tooling
from .turns import Turn


@dataclass(slots=True)
class Form:
    """How an answer is brought into the wanted form."""

    way: Literal["free", "native", "tool", "words"] = "free"
    output: Json | None = None
    """`outputConfig`, for `native`."""
    tool: Function | None = None
    """The tool whose call is the answer, for `tool`."""
    line: str = ""
    """What is asked for in words, for `words`."""


def may_force(draft: Draft) -> bool:
    """Whether the model can be made to call a tool."""
    if draft.capabilities.forced_tools is False or draft.capabilities.tools is False:
        return False
    return not (draft.active and "tool_choice.forced" in draft.thinking.excludes)


def plan_form(wanted: Format | None, tooling: Tooling, name: str, draft: Draft) -> Form:
    """The way to an answer of the wanted form; `name` is free for the tool that may stand for it."""
    if wanted is None:
        return Form()
    natural = wanted.kind == "json_schema" and "text_format" in draft.flags
    if natural and not open_ended(wanted.schema):
        return _native(wanted, draft)
    if tooling.forced:
        draft.report("response_format", "dropped", "the answer is to be a tool call")
        return Form()
    if may_force(draft) and wanted.schema.get("type", "object") == "object":
        draft.report("response_format", "emulated", f"the answer is the call of a tool {name}")
        about = wanted.description or "Gives the answer in the form that is wanted."
        return Form("tool", tool=Function("response_format", name, about, wanted.schema))
    if wanted.kind == "json_schema":
        draft.refuse("response_format", "neither the wire nor a tool can hold the model to a schema")
        line = f"Answer with JSON of this schema and nothing else: {json.dumps(wanted.schema)}"
    else:
        draft.report("response_format", "emulated", "the model is asked for JSON in words")
        line = "Answer with one JSON object and nothing else."
    return Form("words", line=line)


def _native(wanted: Format, draft: Draft) -> Form:
    schema, changed = compiled(wanted.schema)
    if changed:
        words = ", ".join(changed)
        draft.report(
            "response_format.json_schema.schema", "emulated", f"said in words or not at all: {words}"
        )
    definition: Json = {"schema": json.dumps(schema, ensure_ascii=False), "name": wanted.name}
    if wanted.description:
        definition["description"] = wanted.description
    text_format = {"type": "json_schema", "structure": {"jsonSchema": definition}}
    return Form("native", output={"textFormat": text_format})


@dataclass(slots=True)
class ToolConfig:
    """What a request says of tools."""

    tools: list[Json] = field(default_factory=list)
    choice: Json | None = None
    """`toolChoice`; None leaves the choice to the model."""
    own: Json = field(default_factory=dict)
    """Claude's own `tool_choice`, among the model's own fields."""

    @property
    def body(self) -> Json | None:
        """`toolConfig`, which stands for at least one tool."""
        if not self.tools:
            return None
        return {"tools": self.tools} | ({"toolChoice": self.choice} if self.choice else {})


def write_tools(tooling: Tooling, form: Form, turns: list[Turn], draft: Draft, marks: Marks) -> ToolConfig:
    """The tools and the choice among them."""
    config = ToolConfig()
    if (tooling.functions or tooling.others) and draft.capabilities.tools is False:
        draft.refuse("tools", "the model calls no tools")
        return config
    for function in tooling.functions:
        config.tools.append(_spec(function, draft))
        marks.mark({"cache_control": function.cache_control, "path": function.path}, config.tools, tool=True)
    for path, other in tooling.others:
        system = other.get("systemTool")
        if isinstance(system, dict):
            config.tools.append({"systemTool": system})
        else:
            draft.refuse(path, f"the wire has no tools of the type {other.get('type')!r}")
    used = {tool_name(call.name): None for turn in turns for call in turn.calls}
    if form.tool is not None:
        _answer_by_tool(config, form.tool, tooling, used, draft)
    else:
        _choose(config, tooling, used, draft)
    _serially(config, tooling, form, draft)
    return config


def _spec(function: Function, draft: Draft) -> Json:
    schema = function.parameters or NO_PARAMETERS
    spec: Json = {"name": tool_name(function.name)}
    if function.description and function.description.strip():
        spec["description"] = function.description
    if function.strict:
        if "text_format" in draft.flags:
            schema, changed = compiled(schema)
            spec["strict"] = True
            if changed:
                path = f"{function.path}.function.parameters"
                draft.report(path, "emulated", f"said in words or not at all: {', '.join(changed)}")
        else:
            draft.report(f"{function.path}.function.strict", "dropped", "the model is not held to schemas")
    spec["inputSchema"] = {"json": {"type": "object", **schema}}
    return {"toolSpec": spec}


def _answer_by_tool(
    config: ToolConfig, tool: Function, tooling: Tooling, used: dict[str, None], draft: Draft
) -> None:
    """The model calls one of the tools, or the one that is the answer."""
    alone = tooling.choice == "none" or not config.tools
    if alone and not used:
        config.tools = []
    config.tools.append(_spec(tool, draft))
    config.choice = {"tool": {"name": tool.name}} if alone else {"any": {}}


def _choose(config: ToolConfig, tooling: Tooling, used: dict[str, None], draft: Draft) -> None:
    none = tooling.choice == "none"
    if used and not config.tools:  # calls in the history want tools, whether or not they may be called again
        config.tools = [_spec(Function("messages", name), draft) for name in used]
        draft.report("tools", "emulated", "the tools of earlier calls are named, since the wire wants some")
        none = True
    if none:
        _choose_none(config, tooling, used, draft)
    elif tooling.forced and not may_force(draft):
        draft.refuse("tool_choice", "the model cannot be made to call a tool in this request")
    elif tooling.choice == "named":
        config.choice = {"tool": {"name": tool_name(tooling.named)}}
    elif tooling.choice == "required":
        config.choice = {"any": {}}


def _choose_none(config: ToolConfig, tooling: Tooling, used: dict[str, None], draft: Draft) -> None:
    if not used:
        config.tools = []
        draft.report("tool_choice", "emulated", "the tools are left out, so that none is called")
    elif "claude" in draft.flags:
        config.own = {"type": "none"}
    elif tooling.choice == "none":
        draft.refuse("tool_choice", "the model cannot be kept from calling the tools it has called before")


def _serially(config: ToolConfig, tooling: Tooling, form: Form, draft: Draft) -> None:
    """One call at a time, where that is asked for or the call is the answer."""
    if not config.tools or config.own or not (tooling.parallel is False or form.tool is not None):
        return
    if "claude" in draft.flags:
        config.own = {"disable_parallel_tool_use": True} | ({} if config.choice else {"type": "auto"})
    elif tooling.parallel is False:
        draft.report("parallel_tool_calls", "dropped", "the wire cannot keep the model from several calls")
