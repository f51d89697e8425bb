"""A normalized request becomes the payload of one OpenAI-compatible host.

What a row of the catalogue says is applied in a fixed order: thinking, messages, tools, formats, the limit of
tokens, fields the wire cannot say, hooks, and last the wire's own names. A field that shapes the answer and
cannot be said is refused; hints are dropped; all of it is reported.
"""

from __future__ import annotations

from ..chat import ChatCompletion
from ..dialect import Target
from ..thinking import Intent
from .draft import Draft, Json
from .hooks import ENCODE_HOOKS
from .openai_messages import write_messages
from .writing import DEFAULTS, SHAPING, begin, compile_intent, settle_stream

_WRITTEN_ELSEWHERE = frozenset(
    {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"}
)


def drafted(request: ChatCompletion, target: Target) -> Draft:
    """The draft of a chat completion, its payload as it goes out; UnsupportedError."""
    draft = begin(request, target)
    _tools_while_thinking(draft)
    settle_stream(request, draft)
    write_messages(draft)
    _tools(draft)
    _response_format(draft)
    _max_tokens(draft)
    _unsupported(draft)
    _clamp(draft)
    _prefill(draft)
    _stream(draft)
    _thinking_words(draft)
    for name in draft.preset.encode_hooks:
        ENCODE_HOOKS[name](draft)
    _rename(draft)
    return draft


def _tools_while_thinking(draft: Draft) -> None:
    """Some models take functions only while they do not think: off it goes where nobody asked for it."""
    functions = any(tool.get("type") == "function" for tool in draft.payload.get("tools") or ())
    if not functions or "tools" not in draft.thinking.excludes or draft.active is False:
        return
    reason = "the model takes function tools only while it does not think"
    if draft.thinking.off and (draft.intent.mode == "unset" or draft.target.on_unsupported != "refuse"):
        compile_intent(Intent("off"), draft)
        draft.report("reasoning_effort", "clamped", f"{reason}; thinking is switched off")
        return
    draft.refuse("tools", f"{reason}, and this call has thinking on")
    _without_tools(draft)


def _thinking_words(draft: Draft) -> None:
    """The intent's words and the fields that the row always sends; the caller's own stay as they are."""
    for path, value in draft.words.items():
        draft.put(path, value, source=draft.intent.source)
    for path, value in {**draft.preset.send, **draft.thinking.send}.items():
        draft.put(path, value)


def _without_tools(draft: Draft) -> None:
    draft.payload.pop("tools", None)
    for name in ("tool_choice", "parallel_tool_calls"):
        if draft.payload.get(name) == DEFAULTS[name]:
            del draft.payload[name]
        draft.drop(name, "there are no tools left to choose from")


def _tools(draft: Draft) -> None:
    tools = draft.payload.get("tools")
    if tools is None:
        return
    if tools and draft.lacks("tools"):
        draft.refuse("tools", "the wire takes no tools")
        tools = []
    kept = [tool for place, tool in enumerate(tools) if _tool(tool, f"tools[{place}]", draft)]
    draft.payload["tools"] = kept
    if not kept:
        _without_tools(draft)
        return
    _tool_choice(draft)


def _tool(tool: Json, path: str, draft: Draft) -> bool:
    """Fit one tool to the wire; False where it has to go."""
    if tool.get("type") == "custom" and draft.lacks("tools.custom"):
        draft.refuse(path, "the wire only takes functions as tools")
        return False
    if not draft.preset.cache_control and tool.pop("cache_control", None) is not None:
        draft.report(f"{path}.cache_control", "dropped", "the host takes no cache marks")
    function = tool.get("function")
    if function and draft.lacks("tools.strict") and function.pop("strict", None) is not None:
        draft.report(f"{path}.function.strict", "dropped", "the host takes no strict schemas")
    return True


def _tool_choice(draft: Draft) -> None:
    choice = draft.payload.get("tool_choice")
    if choice is None or choice == "auto":
        return
    kind = choice if isinstance(choice, str) else "named" if choice["type"] == "function" else choice["type"]
    if not (draft.lacks("tool_choice") or draft.lacks(f"tool_choice.{kind}")):
        return
    if kind == "none":
        draft.payload.pop("tool_choice")
        _without_tools(draft)
        draft.report("tool_choice", "emulated", "the wire cannot forbid tools; none are sent")
        return
    draft.refuse("tool_choice", f"the wire cannot say a tool choice of {kind}")
    draft.payload.pop("tool_choice")


def _response_format(draft: Draft) -> None:
    wanted = draft.payload.get("response_format")
    if wanted is None or draft.lacks("response_format"):
        return
    kind = wanted["type"]
    if not draft.lacks(f"response_format.{kind}"):
        return
    if kind == "json_object":
        schema = {"name": "answer", "schema": {"type": "object"}}
        draft.payload["response_format"] = {"type": "json_schema", "json_schema": schema}
        draft.report(
            "response_format", "emulated", "the wire knows no json_object; the schema of any object is sent"
        )
        return
    draft.refuse("response_format", f"the wire takes no {kind} format")
    if draft.lacks("response_format.json_object"):
        draft.payload.pop("response_format")
    else:
        draft.payload["response_format"] = {"type": "json_object"}
        draft.report("response_format", "clamped", "any JSON object is asked for, without the schema")


def _max_tokens(draft: Draft) -> None:
    """One limit under the host's name for it."""
    payload, name = draft.payload, draft.preset.max_tokens_field
    given = [spelling for spelling in ("max_completion_tokens", "max_tokens") if spelling in payload]
    if not given:
        return
    limit = payload.pop(given[0])
    payload.pop(given[-1], None)
    payload[name] = limit
    if name not in given:
        draft.report(given[0], "renamed", f"{name} is its name here")


def _unsupported(draft: Draft) -> None:
    """Refuse what shapes the answer and drop what only hints, where the wire cannot say it."""
    thinking = frozenset(draft.thinking.excludes if draft.active else ())
    for name in [name for name in draft.payload if name not in _WRITTEN_ELSEWHERE]:
        lacking, excluded = draft.lacks(name), name in thinking and name != "tools"
        if not (lacking or excluded):
            continue
        value = draft.payload[name]
        reason = "not taken while the model thinks" if excluded else "not known to this host"
        if name in SHAPING and value != DEFAULTS.get(name):
            draft.refuse(name, reason)
            del draft.payload[name]
        else:
            draft.drop(name, reason)


def _clamp(draft: Draft) -> None:
    for name, (low, high) in draft.preset.limits.items():
        value = draft.payload.get(name)
        if isinstance(value, (int, float)) and not low <= value <= high:
            draft.payload[name] = min(max(value, low), high)
            draft.report(name, "clamped", f"this host takes {low} to {high}; {draft.payload[name]} is sent")
    for name, words in draft.preset.values.items():
        if draft.payload.get(name) not in words:
            draft.drop(name, f"this host takes {', '.join(words)}")


def _prefill(draft: Draft) -> None:
    """Say that the last message is to be gone on with."""
    if draft.prefill is None:
        return
    way = draft.prefill.way
    if way == "continue_final_message":
        draft.payload["continue_final_message"] = True
        draft.payload["add_generation_prompt"] = False
    elif way != "plain":
        draft.payload["messages"][-1][way] = True


def _stream(draft: Draft) -> None:
    """Ask for usage in every stream; a whole answer needs no word about streaming."""
    draft.payload.pop("stream", None)
    options = draft.payload.pop("stream_options", None) or {}
    if not draft.stream:
        return
    draft.payload["stream"] = True
    if draft.preset.stream_usage == "option" and not draft.lacks("stream_options"):
        draft.payload["stream_options"] = {**options, "include_usage": True}
        return
    for name in options:
        if name != "include_usage":
            draft.report(f"stream_options.{name}", "dropped", "the host takes no stream options")


def _rename(draft: Draft) -> None:
    """The wire's own names; the caller's value under such a name wins over a translated one."""
    for name, wire in draft.rename.items():
        if name not in draft.payload:
            continue
        value = draft.payload.pop(name)
        if wire in draft.payload:
            draft.report(name, "dropped", f"the request's own {wire} is sent instead")
        else:
            draft.payload[wire] = value
            draft.report(name, "renamed", f"{wire} is its name here")
