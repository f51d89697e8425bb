"""Tools, the choice among them and the format of the answer, in the words of generateContent."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..chat import ChatCompletion
from ..dialect import Target
from .draft import Draft, Json
from .gemini_schemas import cleaned
from .tooling import Format, Function, Tooling, answer_tool, format_of, take_format, take_tools

_NAME = re.compile(r"[A-Za-z_]")


@dataclass(slots=True)
class Wanted:
    """What a request wants of tools and of the answer's format, in the wire's words."""

    tools: list[Json] = field(default_factory=list)
    config: Json = field(default_factory=dict)
    """`toolConfig`; empty where nothing needs to be said."""
    generation: Json = field(default_factory=dict)
    """What goes into `generationConfig`."""
    instruction: str = ""
    """A line for the standing instruction, where nothing else can ask for the format."""


def emulated_answer(request: ChatCompletion, target: Target) -> str:
    """The tool whose call stands for a JSON answer; empty where the wire asks for JSON itself.

    Models up to 2.5 take no format beside functions; they are made to call one of the functions or this one.
    """
    wanted = format_of(request)
    functions = any(tool.function for tool in request.tools or ())
    if wanted is None or not functions or "json_with_tools" in target.preset.flags_of(target.model):
        return ""
    if not (_free(request.tool_choice) and _callable(wanted)):
        return ""
    return answer_tool(request)


def _free(choice: Any) -> bool:
    """Whether the model may answer in words, but may also call a tool."""
    if choice is None or choice == "auto":
        return True
    allowed = getattr(choice, "model_extra", None) or {}
    said = allowed.get("allowed_tools") or allowed
    return getattr(choice, "type", "") == "allowed_tools" and said.get("mode") != "required"


def _callable(wanted: Format) -> bool:
    """Whether a function may have this schema for its arguments."""
    return wanted.kind == "json_schema" and wanted.schema.get("type") == "object"


def take_wanted(request: ChatCompletion, draft: Draft) -> Wanted:
    """Take tools, choice and format out of the payload."""
    names = _take_allowed(draft)
    tooling = take_tools(draft)
    form = take_format(draft)
    wanted = Wanted()
    _web_search(draft, tooling, wanted)
    if tooling.parallel is False:
        draft.report("parallel_tool_calls", "dropped", "the wire cannot forbid several calls at once")
    stand_in = emulated_answer(request, draft.target)
    if form is not None and tooling.functions and "json_with_tools" not in draft.flags:
        form = _beside_functions(form, tooling, stand_in, wanted, draft)
    if draft.lacks("tools") and (tooling.functions or tooling.others):
        draft.refuse("tools", "the model takes no tools")
        tooling.functions, tooling.others = [], []
    _declare(tooling, draft, wanted)
    if wanted.tools and tooling.functions:
        _choose(tooling, names, stand_in, draft, wanted)
    if form is not None:
        _ask_for(form, draft, wanted)
    return wanted


def _take_allowed(draft: Draft) -> list[str] | None:
    """The functions that a choice of `allowed_tools` leaves, which this wire can say itself."""
    choice = draft.payload.get("tool_choice")
    if not isinstance(choice, dict) or choice.get("type") != "allowed_tools":
        return None
    said = choice.get("allowed_tools") or choice
    required = said.get("mode") == "required"
    tools = [tool for tool in said.get("tools") or () if isinstance(tool, dict)]
    plain = all(isinstance(tool.get("function"), dict) for tool in tools)
    if not tools or not plain or not (required or "validated" in draft.flags):
        return None  # the choice is made by sending no others
    draft.payload["tool_choice"] = "required" if required else "auto"
    return [str(tool["function"].get("name")) for tool in tools]


def _web_search(draft: Draft, tooling: Tooling, wanted: Wanted) -> None:
    options = draft.take("web_search_options")
    if options is None:
        return
    if tooling.functions and "mixed_tools" not in draft.flags:
        draft.report("web_search_options", "dropped", "the model takes no web search beside functions")
        return
    wanted.tools.append({"googleSearch": {}})
    if options:
        draft.report("web_search_options", "emulated", "Google Search is used; its options are its own")


def _beside_functions(
    form: Format, tooling: Tooling, stand_in: str, wanted: Wanted, draft: Draft
) -> Format | None:
    """A format where the model takes none beside functions; None where something else stands for it."""
    if tooling.choice == "none":
        tooling.functions.clear()
        draft.report("tools", "emulated", "no tool may be called, so none are sent beside the format")
        return form
    if tooling.forced:
        draft.report(
            "response_format", "dropped", "the model has to call a tool, and answers in no other way"
        )
    elif stand_in:
        tooling.functions.append(
            Function("response_format", stand_in, form.description or "Gives the answer.", form.schema)
        )
        draft.report("response_format", "emulated", f"the answer is the arguments of the function {stand_in}")
    else:
        wanted.instruction = instruction_for(form)
        draft.report("response_format", "emulated", "asked for in words: the model takes no format here")
    return None


def instruction_for(form: Format) -> str:
    """A line that asks for the format in words."""
    asked = "Unless you call a function, answer with one JSON value and nothing else."
    if form.kind == "json_object":
        return asked
    return f"{asked} It follows this JSON Schema: {json.dumps(form.schema, ensure_ascii=False)}"


def _declare(tooling: Tooling, draft: Draft, wanted: Wanted) -> None:
    functions = [one for one in tooling.functions if _may_have_name(one, draft)]
    tooling.functions = functions
    if functions:
        wanted.tools.insert(0, {"functionDeclarations": [_declaration(one, draft) for one in functions]})
    for path, tool in tooling.others:
        written = _native(tool)
        if written is None:
            draft.refuse(path, "the wire only takes functions and Google's own tools")
        else:
            wanted.tools.append(written)


def _may_have_name(function: Function, draft: Draft) -> bool:
    if _NAME.match(function.name):
        return True
    draft.refuse(function.path, "a function's name begins with a letter or an underscore here")
    return False


def _declaration(function: Function, draft: Draft) -> Json:
    declared: Json = {"name": function.name}
    if function.description:
        declared["description"] = function.description
    parameters = function.parameters
    if parameters and (parameters.get("properties") or not parameters.keys() <= {"type", "properties"}):
        path = f"{function.path}.function.parameters"
        if function.path == "response_format":
            path = "response_format.json_schema.schema"
        declared["parametersJsonSchema"] = cleaned(parameters, path, draft)
    if function.cache_control:
        draft.report(f"{function.path}.cache_control", "dropped", "caching is automatic here")
    return declared


def _native(tool: Json) -> Json | None:
    """A tool of Google's, `{"googleSearch": {}}` or `{"type": "google_search", …}`; None for others."""
    kind = str(tool.get("type") or "")
    if kind == "custom":
        return None
    own = {key: value for key, value in tool.items() if key != "type" and isinstance(value, dict)}
    if kind in {"", "function"}:
        return own or None
    camel = _camel(kind)
    return {camel: own.get(kind) or own.get(camel) or {}}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def _choose(
    tooling: Tooling, names: Sequence[str] | None, stand_in: str, draft: Draft, wanted: Wanted
) -> None:
    strict = any(function.strict for function in tooling.functions)
    known = {function.name for function in tooling.functions}
    calling: Json = {}
    match tooling.choice:
        case "none":
            calling = {"mode": "NONE"}
        case "named":
            calling = {"mode": "ANY", "allowedFunctionNames": [tooling.named]}
        case "required":
            calling = {"mode": "ANY"}
        case _ if stand_in:
            calling = {"mode": "ANY"}
        case _ if names is not None or (strict and "validated" in draft.flags):
            calling = {"mode": "VALIDATED"}
        case _ if tooling.chosen:
            calling = {"mode": "AUTO"}
    if names is not None and calling["mode"] in {"ANY", "VALIDATED"}:
        allowed = [name for name in names if name in known]
        calling["allowedFunctionNames"] = [*allowed, stand_in] if stand_in else allowed
    if strict and calling.get("mode") not in {"ANY", "VALIDATED"} and tooling.choice != "none":
        draft.report("tools", "dropped", "the model cannot be held to strict schemas")
    if calling:
        wanted.config["functionCallingConfig"] = calling


def _ask_for(form: Format, draft: Draft, wanted: Wanted) -> None:
    if draft.lacks("response_format"):
        draft.refuse("response_format", "the model takes no format of its answer")
        return
    wanted.generation["responseMimeType"] = "application/json"
    if form.kind == "json_schema":
        schema = cleaned(form.schema, "response_format.json_schema.schema", draft)
        wanted.generation["responseJsonSchema"] = schema
