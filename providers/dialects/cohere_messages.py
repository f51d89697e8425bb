"""Turns of a conversation as the messages of Cohere's Chat API v2.

Roles are system, user, assistant and tool. The system message stands first or not at all; an assistant's
message holds text and thinking under `content`, its calls under `tool_calls`, and what it meant to do with
them under `tool_plan`; each result is a message of its own that names its call. Neighbours of one role are
taken, but are merged all the same, which every model has seen.

Source: cohere 7.3.1 message types; Cohere's pages on chat, tool use and errors, 2026-11-21.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .cohere_tools import wire_name
from .draft import Draft, Json
from .envelope import loaded
from .keeping import Kept, arranged
from .media import file_of, text_in
from .tooling import arguments_of
from .turns import UNANSWERED, Call, Result, Turn, custom_arguments, leading_system

PLAN = "tool_plan"
"""Kind of the kept block that holds an answer's plan, and the name of its one field."""
ASK_FOR_JSON = "Answer with a JSON object and nothing else."
"""Cohere's JSON mode may never come to an end where no message asks for JSON."""


def messages_of(draft: Draft, turns: list[Turn], names: Mapping[str, str], *, ask: bool) -> list[Json]:
    """The messages; `names` are the tools' names on the wire, `ask` whether one of them must ask for JSON."""
    instructions = [_text_only(part, draft) for part in leading_system(turns)]
    system = "\n\n".join(filter(None, instructions))
    turns = _system_first(turns, draft)
    if ask and not _asks(system, turns):
        system = f"{system}\n\n{ASK_FOR_JSON}" if system else ASK_FOR_JSON
        draft.report("response_format", "emulated", "the instructions ask for JSON, as the wire needs")
    _own_ids(turns, draft)
    messages = [message for turn in turns for message in _messages(turn, names, draft)]
    if not messages and system:
        draft.report("messages", "emulated", "instructions alone are no conversation; sent as the user's")
        return [{"role": "user", "content": system}]
    return [{"role": "system", "content": system}, *messages] if system else messages


def _system_first(turns: list[Turn], draft: Draft) -> list[Turn]:
    """Instructions that come later become the user's words, joined to those beside them."""
    ordered: list[Turn] = []
    for turn in turns:
        if turn.role == "system":
            draft.report(turn.path, "emulated", "the wire takes instructions only first; sent as the user's")
            turn.role = "user"
        if turn.role == "user" and ordered and ordered[-1].role == "user":
            ordered[-1].parts += turn.parts
        else:
            ordered.append(turn)
    return ordered


def _asks(system: str, turns: list[Turn]) -> bool:
    return any("json" in text.lower() for text in (system, *(turn.text for turn in turns)))


def _own_ids(turns: list[Turn], draft: Draft) -> None:
    """Give calls whose id occurred before one of their own; Cohere refuses an id that comes twice."""
    seen: set[str] = set()
    for turn in turns:
        for call in turn.calls:
            identity, number = call.id, 2
            while identity in seen:
                identity, number = f"{call.id}_{number}", number + 1
            if identity != call.id:
                draft.report(f"{call.path}.id", "renamed", "the wire takes no id twice")
                call.id = identity
            seen.add(identity)


def _messages(turn: Turn, names: Mapping[str, str], draft: Draft) -> list[Json]:
    if turn.role == "results":
        return [_result(result, draft) for result in turn.results]
    if turn.role == "assistant":
        return _assistant(turn, names, draft)
    blocks = [block for part in turn.parts if (block := _user_block(part, draft)) is not None]
    return [{"role": "user", "content": _content(blocks)}] if blocks else []


def _content(blocks: list[Json]) -> str | list[Json]:
    """One text as such, anything else as a list of blocks."""
    if len(blocks) == 1 and blocks[0]["type"] == "text":
        return str(blocks[0]["text"])
    return blocks


def _assistant(turn: Turn, names: Mapping[str, str], draft: Draft) -> list[Json]:
    message: Json = {"role": "assistant"}
    blocks = _said(turn, draft)
    if blocks:
        message["content"] = _content(blocks)
    plan = next((one for one in turn.kept if one.kind == PLAN), None)
    if turn.calls:
        if plan is not None:
            message[PLAN] = plan.block[PLAN]
        message["tool_calls"] = [_call(call, names, draft) for call in turn.calls]
    elif plan is not None:
        draft.report(f"{turn.path}.reasoning_details", "dropped", "a plan is nothing without its calls")
    return [message] if blocks or turn.calls else []


def _said(turn: Turn, draft: Draft) -> list[Json]:
    """Text and thinking in the order in which they were said."""
    texts = [
        {"type": "text", "text": text} for part in turn.parts if (text := _text_only(part, draft)) is not None
    ]
    kept: list[Kept] = [one for one in turn.kept if one.kind != PLAN]
    blocks: list[Json] = []
    for piece in arranged(kept, turn.text, 0):
        blocks += texts if piece.what == "text" else [piece.block]
    return blocks


def _call(call: Call, names: Mapping[str, str], draft: Draft) -> Json:
    if call.custom:
        draft.report(call.path, "emulated", "the wire knows function calls only; the text is its `input`")
    arguments = custom_arguments(call)
    if not isinstance(loaded(arguments), dict):
        value = arguments_of(arguments, f"{call.path}.function.arguments", draft)
        arguments = json.dumps(value, ensure_ascii=False)
    name = names.get(call.name) or wire_name(call.name)
    return {"id": call.id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _result(result: Result, draft: Draft) -> Json:
    blocks = [block for part in result.parts if (block := _result_block(part, draft)) is not None]
    content: Any = _content(blocks)
    if result.is_error and result.text != UNANSWERED:
        content = json.dumps({"error": result.text}, ensure_ascii=False)
        draft.report(f"{result.path}.is_error", "emulated", "the wire has no mark for it; sent as an `error`")
    elif not blocks:
        content = "{}"
        draft.report(f"{result.path}.content", "emulated", "an empty result is sent as an empty object")
    return {"role": "tool", "tool_call_id": result.call.id, "content": content}


def _user_block(part: Json, draft: Draft) -> Json | None:
    _unmark(part, draft)
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part["text"]}
    if kind == "image_url":
        if draft.capabilities.images is False:
            draft.refuse(part["path"], "the model takes no images")
            return None
        image = part["image_url"]
        detail = {"detail": image["detail"]} if image.get("detail") else {}
        return {"type": "image_url", "image_url": {"url": image["url"], **detail}}
    if kind == "file" and (text := text_in(file_of(part))):
        draft.report(part["path"], "emulated", "the wire takes no files; this one's text is sent")
        return {"type": "text", "text": text}
    draft.refuse(part["path"], f"the wire takes text and images, no part of type {kind}")
    return None


def _result_block(part: Json, draft: Draft) -> Json | None:
    _unmark(part, draft)
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part["text"]}
    if kind == "document" and isinstance(part.get("document"), dict):
        return {"type": "document", "document": part["document"]}  # the wire's own, which can be cited
    draft.refuse(part["path"], f"a result is text or documents here, no part of type {kind}")
    return None


def _text_only(part: Json, draft: Draft) -> str | None:
    _unmark(part, draft)
    if part.get("type") == "text":
        return str(part["text"])
    draft.refuse(part["path"], f"only text may stand here, no part of type {part.get('type')}")
    return None


def _unmark(part: Json, draft: Draft) -> None:
    if part.pop("cache_control", None) is not None:
        draft.report(f"{part['path']}.cache_control", "dropped", "Cohere caches unasked")
