"""Tools and the choice among them in the words of the Responses wire, where nothing is nested."""

from __future__ import annotations

from typing import Any

from ..thinking import Intent
from .draft import Draft, Json
from .tooling import NO_PARAMETERS, Function, Tooling, take_tools
from .writing import compile_intent

_FORCED = "tool_choice.forced"


def put_tools(draft: Draft, body: Json) -> None:
    """Write tools, the choice among them and whether several may be called at once."""
    choice = draft.take("tool_choice")  # every kind of choice can be said here, in other words
    tooling = take_tools(draft)
    tools = [_function(function, draft) for function in tooling.functions]
    tools += [written for path, tool in tooling.others if (written := _other(path, tool, draft)) is not None]
    search = draft.take("web_search_options")
    if search is not None and draft.lacks("web_search_options"):
        draft.report("web_search_options", "dropped", "the host has no web search of its own")
    elif search is not None:
        tools.append(_web_search(search))
    if not tools:
        if choice not in (None, "auto", "none"):
            draft.report("tool_choice", "dropped", "there are no tools to choose from")
        return
    body["tools"] = tools
    _put_choice(choice, draft, body)
    _put_parallel(tooling, draft, body)


def _function(function: Function, draft: Draft) -> Json:
    """A function; without a word about `strict` this wire would rewrite its schema to be strict."""
    if function.cache_control:
        draft.report(f"{function.path}.cache_control", "dropped", "tools take no cache marks here")
    written: Json = {"type": "function", "name": function.name}
    if function.description is not None:
        written["description"] = function.description
    written["parameters"] = function.parameters or dict(NO_PARAMETERS)
    if not draft.lacks("tools.strict"):
        written["strict"] = function.strict is True
    elif function.strict:
        draft.report(f"{function.path}.function.strict", "dropped", "the host takes no strict schemas")
    return written


def _other(path: str, tool: Json, draft: Draft) -> Json | None:
    """A custom tool flattened, a tool of the host's own as it is; None where it has to go."""
    tool = dict(tool)
    if tool.pop("cache_control", None):
        draft.report(f"{path}.cache_control", "dropped", "tools take no cache marks here")
    kind = tool.get("type")
    if draft.lacks("tools.custom" if kind == "custom" else "tools.other"):
        draft.refuse(path, "the wire only takes functions as tools")
        return None
    inner = tool.get("custom")
    if kind != "custom" or not isinstance(inner, dict):
        return tool
    written = {"type": "custom", **inner}
    form = inner.get("format")
    if isinstance(form, dict) and isinstance(form.get("grammar"), dict):
        written["format"] = {"type": "grammar", **form["grammar"]}
    return written


def _web_search(options: Json) -> Json:
    """The host's own web search as a tool."""
    written: Json = {"type": "web_search", **options}
    location = options.get("user_location")
    if isinstance(location, dict) and isinstance(location.get("approximate"), dict):
        written["user_location"] = {"type": "approximate", **location["approximate"]}
    return written


def _put_choice(choice: Any, draft: Draft, body: Json) -> None:
    if choice is None:
        return
    kind = choice if isinstance(choice, str) else str(choice.get("type"))
    thinks = draft.active is not False and _FORCED in draft.thinking.excludes
    if thinks and _forces(choice) and not _without_thinking(draft):
        return
    name = "named" if kind == "function" else kind
    if kind != "auto" and (draft.lacks("tool_choice") or draft.lacks(f"tool_choice.{name}")):
        if kind == "none":
            del body["tools"]
            draft.report("tool_choice", "emulated", "the wire cannot forbid tools; none are sent")
        else:
            draft.refuse("tool_choice", f"the wire cannot say a tool choice of {name}")
        return
    body["tool_choice"] = choice if isinstance(choice, str) else _flat_choice(choice)


def _forces(choice: Any) -> bool:
    """Whether the model has to call a tool."""
    if isinstance(choice, str):
        return choice == "required"
    allowed = choice.get("allowed_tools") or choice
    return bool(choice.get("type") != "allowed_tools" or allowed.get("mode") == "required")


def _without_thinking(draft: Draft) -> bool:
    """Whether a choice that goes only without thinking can be had: it is switched off where nobody asked."""
    reason = "a tool can only be forced while the model does not think"
    if draft.thinking.off and draft.intent.mode == "unset":
        compile_intent(Intent("off"), draft)
        draft.report("reasoning_effort", "clamped", f"{reason}; thinking is switched off")
        return True
    draft.refuse("tool_choice", f"{reason}, and this call has thinking on")
    return False


def _flat_choice(choice: Json) -> Json:
    """A choice without nesting: `{type, name}`, or the allowed tools as such."""
    kind = str(choice.get("type"))
    if kind == "allowed_tools":
        allowed = choice.get("allowed_tools") or choice
        tools = [_flat_choice(tool) for tool in allowed.get("tools") or ()]
        return {"type": "allowed_tools", "mode": allowed.get("mode") or "auto", "tools": tools}
    inner = choice.get(kind)
    if isinstance(inner, dict):
        return {"type": kind, "name": inner.get("name", "")}
    return choice


def _put_parallel(tooling: Tooling, draft: Draft, body: Json) -> None:
    if tooling.parallel is None or "tools" not in body:
        return
    if draft.lacks("parallel_tool_calls"):
        if not tooling.parallel:
            draft.report("parallel_tool_calls", "dropped", "several calls at once cannot be forbidden here")
        return
    body["parallel_tool_calls"] = tooling.parallel
