"""A normalized request becomes the bytes of a Responses call, stateless: nothing is left at the provider.

Sources: the request types of openai 3.54, OpenAI's reference, and recorded exchanges; 2026-11-21.
"""

from __future__ import annotations

from typing import Any

from ..chat import ChatCompletion
from ..dialect import Target, WireRequest
from .draft import Draft, Json
from .responses_content import input_content, output_content, refusals_as_parts
from .responses_replay import WIRE, assistant_items, call_ids, takes_thoughts
from .responses_tools import put_tools
from .tooling import take_format
from .turns import Result, Turn, take_turns
from .writing import begin, pass_on, posted, put_words, settle, settle_stream, take_max_tokens

_SAME = (
    "temperature", "top_p", "metadata", "service_tier", "prompt_cache_key", "safety_identifier", "user",
)  # fmt: skip
"""Fields that have the same name and meaning here."""
_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
_JSON_LINE = "Answer with a JSON object and nothing else."


def encode(request: ChatCompletion, target: Target) -> WireRequest:
    """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
    draft = begin(request, target)
    body: Json = {"model": target.model, "store": _store(draft)}
    format_ = _text(draft)
    _put_messages(draft, body, in_json=format_.get("format") == {"type": "json_object"})
    put_tools(draft, body)
    if format_:
        body["text"] = format_
    _put_limit(draft, body)
    _put_same(draft, body)
    include = _include(draft)
    settle_stream(request, draft)
    _put_stream(draft, body)
    put_words(draft, body)
    pass_on(draft, body)
    _finish_reasoning(draft, body)
    if include:
        body["include"] = include
    settle(draft)
    return posted(draft, body)


def _store(draft: Draft) -> bool:
    """Whether the provider may keep the answer. It would, for weeks, where nothing is said."""
    wanted = draft.take("store") is True
    if wanted and draft.lacks("store"):
        draft.report("store", "dropped", "the host stores nothing")
        return False
    return wanted


def _put_messages(draft: Draft, body: Json, *, in_json: bool) -> None:
    """Write the conversation as a flat list of items, its first instructions aside where they may stand."""
    messages = draft.payload["messages"]
    roles = {f"messages[{place}]": message["role"] for place, message in enumerate(messages)}
    refusals_as_parts(messages)
    turns = take_turns(draft, WIRE, reasoning=takes_thoughts(draft), merge=False)
    instructions = None if in_json else _instructions(turns)
    if instructions:
        body["instructions"] = instructions
    items = _items(turns, roles, draft)
    if in_json and not _mentions_json(items):
        items.insert(0, {"role": _system(draft), "content": _JSON_LINE})
        draft.report("response_format", "emulated", "a line asks for JSON, which the wire demands beside it")
    body["input"] = items or [{"role": "user", "content": ""}]


def _instructions(turns: list[Turn]) -> str | None:
    """The standing instructions at the beginning, taken off; None where they have to stay among the items.

    They stay where nothing else would be left, and where they are marked for a cache.
    """
    leading = 0
    while leading < len(turns) and turns[leading].role == "system":
        leading += 1
    parts = [part for turn in turns[:leading] for part in turn.parts]
    plain = all(part.keys() <= {"type", "text", "path"} and part["type"] == "text" for part in parts)
    if leading == len(turns) or not plain:
        return None
    del turns[:leading]
    return "\n\n".join(part["text"] for part in parts)


def _items(turns: list[Turn], roles: dict[str, str], draft: Draft) -> list[Json]:
    ids = call_ids(turns, draft)
    items: list[Json] = []
    for turn in turns:
        match turn.role:
            case "assistant":
                items += assistant_items(turn, ids, draft)
            case "results":
                items += [_result(result, ids, draft) for result in turn.results]
            case _:
                role = roles[turn.path] if turn.role == "system" else "user"
                content = input_content(turn.parts, draft)
                if content:
                    items.append({"role": _role(role, turn.path, draft), "content": content})
    return items


def _role(role: str, path: str, draft: Draft) -> str:
    wanted = draft.system_role
    if role == "user" or wanted in {"any", role}:
        return role
    draft.report(f"{path}.role", "renamed", f"the wire knows no {role} role here; sent as {wanted}")
    return wanted


def _system(draft: Draft) -> str:
    """The role of an instruction of our own."""
    return "system" if draft.system_role == "any" else draft.system_role


def _result(result: Result, ids: dict[str, str], draft: Draft) -> Json:
    """What came of a call, in the item that its kind of call wants."""
    if result.is_error and result.path != result.call.path:
        draft.report(f"{result.path}.is_error", "dropped", "results have no mark of failure here")
    custom = result.call.custom and not draft.lacks("tools.custom")
    return {
        "type": "custom_tool_call_output" if custom else "function_call_output",
        "call_id": ids[result.call.path],
        "output": output_content(result.parts, draft),
    }


def _mentions_json(items: list[Json]) -> bool:
    """Whether the word JSON stands in a message, without which `json_object` is refused."""
    return any("json" in text.lower() for item in items for text in _said(item))


def _said(item: Json) -> list[str]:
    content = item.get("content")
    if isinstance(content, str):
        return [content]
    return [str(part.get("text") or "") for part in content or ()]


def _text(draft: Draft) -> Json:
    """The form of the answer, and how long-winded it may be."""
    text: Json = {}
    if draft.lacks("response_format"):
        return text
    wanted = take_format(draft)
    if wanted is not None and draft.lacks(f"response_format.{wanted.kind}"):
        draft.refuse("response_format", f"the wire takes no {wanted.kind} format")
    elif wanted is not None and wanted.kind == "json_object":
        text["format"] = {"type": "json_object"}
    elif wanted is not None:
        said = {"description": wanted.description, "strict": wanted.strict}
        named: Json = {"type": "json_schema", "name": wanted.name, "schema": wanted.schema}
        text["format"] = named | {name: value for name, value in said.items() if value is not None}
    if not draft.lacks("verbosity") and (verbosity := draft.take("verbosity")):
        text["verbosity"] = verbosity
    return text


def _put_limit(draft: Draft, body: Json) -> None:
    """The most tokens of an answer, thinking included, within what the row allows."""
    limit = take_max_tokens(draft)
    if limit is None:
        return
    low, high = draft.preset.limits.get("max_completion_tokens", (1, limit))
    taken = int(min(max(limit, low), high))
    if taken != limit:
        draft.report("max_completion_tokens", "clamped", f"the wire takes no {limit}; {taken} is sent")
    body["max_output_tokens"] = taken


def _put_same(draft: Draft, body: Json) -> None:
    """Fields that keep their names, unless the host or the thinking model takes none."""
    for name in _SAME:
        if name not in draft.payload or draft.lacks(name):
            continue
        value = draft.take(name)
        words = draft.preset.values.get(name)
        if name in draft.thinking.excludes and draft.active:
            draft.report(name, "dropped", "not taken while the model thinks")
        elif words is not None and value not in words:
            draft.report(name, "dropped", f"this host takes {', '.join(words)}")
        else:
            body[name] = value
    _put_logprobs(draft, body)


def _put_logprobs(draft: Draft, body: Json) -> None:
    """How many of the likeliest tokens to tell; whether to tell any is said under `include`."""
    if not draft.payload.get("logprobs") or draft.lacks("logprobs"):
        return
    if draft.active and "logprobs" in draft.thinking.excludes:
        draft.refuse("logprobs", "not taken while the model thinks")
        for name in ("logprobs", "top_logprobs"):
            draft.take(name)
        return
    if (most := draft.take("top_logprobs")) is not None:
        body["top_logprobs"] = most


def _include(draft: Draft) -> list[str]:
    """What the answer has to hold besides: the caller's wishes, encrypted reasoning, log probabilities."""
    wanted: list[str] = []
    given: Any = draft.take("include") if "include" in draft.preset.passes else None
    if isinstance(given, list):
        wanted += given
    if draft.active and "encrypted_reasoning" in draft.flags:
        wanted.append(_ENCRYPTED)
    if not draft.lacks("logprobs") and draft.take("logprobs"):
        wanted.append(_LOGPROBS)
    return list(dict.fromkeys(wanted))


def _put_stream(draft: Draft, body: Json) -> None:
    """Ask for a stream; usage comes unasked, and obfuscation is all that can be said about it."""
    if not draft.stream:
        return
    body["stream"] = True
    options = dict(draft.payload.get("stream_options") or {})
    options.pop("include_usage", None)
    if "include_obfuscation" in options and not draft.lacks("stream_options"):
        body["stream_options"] = {"include_obfuscation": options.pop("include_obfuscation")}
    for name in options:
        draft.report(f"stream_options.{name}", "dropped", "the wire has no such option")


def _finish_reasoning(draft: Draft, body: Json) -> None:
    """Ask to be shown the thinking that was asked for, unless a word of null forbids it.

    OpenAI shows no more than a summary, and that only where `reasoning.summary` is said. It refuses the field
    to organizations that it has not verified: `reasoning: {summary: null}` in the request, or the flag
    `-reasoning_summary` for the provider's models, leaves it out.
    """
    asked = draft.intent.mode in {"on", "effort", "budget"} and draft.active is not False
    if asked and "reasoning_summary" in draft.flags:
        body.setdefault("reasoning", {}).setdefault("summary", "auto")
    reasoning = body.get("reasoning")
    if isinstance(reasoning, dict):
        body["reasoning"] = {name: value for name, value in reasoning.items() if value is not None}
        if not body["reasoning"]:
            del body["reasoning"]
