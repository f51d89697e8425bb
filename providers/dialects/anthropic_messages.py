"""Turns of a conversation as Anthropic's messages: two roles, blocks in order, results before words.

Source: Claude docs on the Messages API, tool use, extended thinking and prefill, and what the API answers to
conversations that break their rules; read 2026-11-21.
"""

from __future__ import annotations

import re

from .anthropic_caching import Marks
from .anthropic_parts import blocks_of
from .draft import Draft, Json
from .keeping import arranged
from .tooling import arguments_of, fitted_id
from .turns import Call, Result, Turn, custom_arguments, leading_system

WIRE = "anthropic"
"""The dialect's name on blocks that ride along in a conversation."""
THOUGHT = "thinking"
"""Kind of kept blocks that hold thinking, readable or not."""
SERVER = "server"
"""Kind of kept blocks of tools that the provider runs itself, and of blocks nobody knows yet."""

_ID = "a-zA-Z0-9_-"
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_OPENING = "(The conversation begins with the assistant.)"
_GO_ON = "Go on."
_SILENCE = "."


def write_system(turns: list[Turn], draft: Draft, marks: Marks, line: str) -> str | list[Json] | None:
    """Take the leading instructions off the turns as the body's `system`; `line` is added at their end.

    They are blocks where one of them bears a cache mark, else one text.
    """
    blocks = blocks_of(leading_system(turns), draft, marks, spoken=True)
    if line:
        blocks.append({"type": "text", "text": line})
    if any("cache_control" in block for block in blocks):
        return blocks
    return "\n\n".join(block["text"] for block in blocks) or None


def write_messages(turns: list[Turn], draft: Draft, marks: Marks) -> list[Json]:
    """The body's messages: the user begins, nobody speaks twice in a row, and the end may be answered."""
    messages: list[Json] = []
    for place, turn in enumerate(turns):
        following = turns[place + 1].role if place + 1 < len(turns) else "assistant"
        if turn.role == "system":
            _later_system(messages, turn, draft, marks, last_word=following == "assistant")
        elif turn.role == "results":
            _say(messages, "user", [_result(result, draft, marks) for result in turn.results])
        elif turn.role == "user":
            _say(messages, "user", blocks_of(turn.parts, draft, marks))
        else:
            _say(messages, "assistant", _assistant(turn, draft, marks))
    _begin(messages, draft)
    _end(messages, turns, draft)
    for message in messages:
        message["content"] = _plain(message["content"])
    return messages


def _say(messages: list[Json], role: str, blocks: list[Json]) -> None:
    if blocks and messages and messages[-1]["role"] == role:
        messages[-1]["content"] += blocks
    elif blocks:
        messages.append({"role": role, "content": blocks})


def _plain(blocks: list[Json]) -> str | list[Json]:
    """One unmarked text as it is; blocks where there is more to say."""
    first = blocks[0] if len(blocks) == 1 else {}
    return first["text"] if first.keys() == {"type", "text"} else blocks


def _later_system(messages: list[Json], turn: Turn, draft: Draft, marks: Marks, *, last_word: bool) -> None:
    """Instructions in the middle: in a role of their own where the model knows it, else as marked text."""
    blocks = blocks_of(turn.parts, draft, marks, spoken=True)
    after_user = bool(messages) and messages[-1]["role"] == "user"
    if "late_system" in draft.flags and after_user and last_word:
        _say(messages, "system", blocks)
        return
    for block in blocks:
        block["text"] = f"<system>\n{block['text']}\n</system>"
    draft.report(turn.path, "emulated", "the wire takes no instructions here; sent as text in a user's turn")
    _say(messages, "user", blocks)


def _result(result: Result, draft: Draft, marks: Marks) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": fitted_id(result.call.id, _ID)}
    content = blocks_of(result.parts, draft, None)
    if content:
        block["content"] = _plain(content)
    if result.is_error:
        block["is_error"] = True
    mark = next((part["cache_control"] for part in result.parts if part.get("cache_control")), None)
    marks.place(mark, block, result.path)
    return block


def _assistant(turn: Turn, draft: Draft, marks: Marks) -> list[Json]:
    """The blocks as the provider wrote them, as far as they are known; else text and then calls."""
    pieces = list(arranged(turn.kept, turn.text, len(turn.calls)))
    kept_text = any(piece.block.get("type") == "text" for piece in pieces)
    said = blocks_of(turn.parts, draft, None if kept_text else marks, spoken=True)
    blocks: list[Json] = []
    for piece in pieces:
        if piece.what == "kept":
            blocks.append(piece.block)
        elif piece.what == "text":
            blocks += said
        else:
            blocks.append(_call(turn.calls[piece.number], draft, marks, own=bool(turn.kept)))
    while blocks and blocks[-1].get("type") in _THOUGHTS:
        blocks.pop()
        draft.report(turn.path, "dropped", "an answer that is thinking alone is not taken back")
    mark = next((part["cache_control"] for part in turn.parts if part.get("cache_control")), None)
    if kept_text and blocks:
        marks.place(mark, blocks[-1], turn.path)
    return blocks


def _call(call: Call, draft: Draft, marks: Marks, *, own: bool) -> Json:
    name = re.sub(f"[^{_ID}]", "_", call.name)[:128] or "_"
    if name != call.name:
        draft.report(f"{call.path}.function.name", "renamed", f"the wire takes letters and digits; {name}")
    arguments = arguments_of(custom_arguments(call), call.path, draft)
    block: Json = {
        "type": "tool_use",
        "id": fitted_id(call.id, _ID),
        "name": name,
        "input": arguments,
    }
    rest = dict(call.rest)
    marks.place(rest.pop("cache_control", None), block, call.path)
    for field, value in rest.items():
        if field in {"native_caller", "native_toolset_name"}:
            if own and value is not None:  # it points to blocks that only the provider's own answer has
                block[field.removeprefix("native_")] = value
        elif field not in {"index", "extra_content"}:
            draft.report(f"{call.path}.{field}", "dropped", "the wire has no such field")
    return block


def _begin(messages: list[Json], draft: Draft) -> None:
    if messages and messages[0]["role"] == "user":
        return
    reason = "the wire wants the user to speak first; a note is put before" if messages else "nothing is said"
    words = _OPENING if messages else _SILENCE
    draft.report("messages[0]", "emulated", reason)
    messages.insert(0, {"role": "user", "content": [{"type": "text", "text": words}]})


def _end(messages: list[Json], turns: list[Turn], draft: Draft) -> None:
    """See to an assistant who has the last word: the start of an answer that is to be continued."""
    last = messages[-1]
    if last["role"] != "assistant" or any(one.kind == SERVER for one in turns[-1].kept):
        return  # a paused turn of the provider's own tools goes on from where it stopped
    path = turns[-1].path
    if "no_prefill" in draft.flags or draft.active:
        draft.report(path, "emulated", "the user must have the last word here; one more turn is added")
        messages.append({"role": "user", "content": [{"type": "text", "text": _GO_ON}]})
        return
    block = last["content"][-1]
    if block.get("type") == "text" and block["text"] != block["text"].rstrip():
        block["text"] = block["text"].rstrip()
        draft.report(path, "clamped", "the wire takes no white space at the end of an answer's start")
