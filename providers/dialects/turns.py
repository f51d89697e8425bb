"""A conversation as turns that any wire can write, whoever held its earlier part.

Wires other than OpenAI's want more order than the contract asks for: results of tools directly after the
calls they answer, each call answered, no empty text, one turn for neighbours of the same role. Here a
request's messages become turns that keep these rules, and whatever had to change is reported. What only one
provider understands has been taken out unless the target is that provider.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

from .draft import Draft, Json
from .keeping import Kept, own_blocks

UNANSWERED = "No result: the call was not carried out."
"""Stands for the result of a call that the conversation leaves without one."""


@dataclass(slots=True)
class Call:
    """A tool call of the assistant's."""

    id: str
    name: str
    arguments: str
    """The JSON text, or the free text of a custom call."""
    path: str
    custom: bool = False
    rest: Json = field(default_factory=dict)
    """Unknown fields of the call."""


@dataclass(slots=True)
class Result:
    """What came of a call."""

    call: Call
    parts: list[Json]
    """Content parts, none of them empty text."""
    path: str
    is_error: bool = False

    @property
    def text(self) -> str:
        """All text of the result."""
        return "".join(part["text"] for part in self.parts if part.get("type") == "text")


@dataclass(slots=True)
class Turn:
    """What one side says before the other speaks, or the results of all calls of the turn before."""

    role: Literal["system", "user", "assistant", "results"]
    path: str
    """Where its first message stands in the request."""
    parts: list[Json] = field(default_factory=list)
    """Content parts with `path` under a key of that name; none of them empty text."""
    calls: list[Call] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    reasoning: str | None = None
    """The assistant's plain thinking, for wires that take it back."""
    kept: list[Kept] = field(default_factory=list)
    """Blocks that came from this very target, to be given back as they are."""

    @property
    def text(self) -> str:
        """All text of the turn joined."""
        return "".join(part["text"] for part in self.parts if part.get("type") == "text")


def take_turns(draft: Draft, wire: str, *, reasoning: bool = False, merge: bool = True) -> list[Turn]:
    """Take the messages out of the payload as turns; `wire` is the dialect's name.

    `reasoning` tells whether the wire takes plain earlier thinking back, which is otherwise reported as
    dropped where no kept block stands for it. `merge` joins neighbours of one role.
    """
    messages: list[Json] = draft.payload.pop("messages")
    results = _results(messages, draft)
    turns: list[Turn] = []
    for place, message in enumerate(messages):
        if message["role"] != "tool":
            turn = _turn(message, f"messages[{place}]", draft, wire, reasoning=reasoning)
            _append(turns, turn, merge=merge)
            if turn.calls:
                answers = _answers(turn, place, results, draft)
                turns.append(Turn("results", answers[0].path, results=answers))
    return turns


def leading_system(turns: list[Turn]) -> list[Json]:
    """Take the parts of the standing instructions before the first word of anyone else off the turns."""
    parts: list[Json] = []
    while turns and turns[0].role == "system":
        parts += turns.pop(0).parts
    return parts


def loop_without(kind: str, turns: list[Turn]) -> bool:
    """Whether the model is in the middle of calling tools, and no block of that kind is kept of it there.

    Some models must get the thinking back that began a running loop, and think of nothing else before.
    """
    end = len(turns)
    while end and turns[end - 1].role in {"user", "system"}:
        end -= 1
    if not end or turns[end - 1].role != "results":
        return False
    begin = end
    while begin and turns[begin - 1].role in {"assistant", "results"}:
        begin -= 1
    return not any(one.kind == kind for turn in turns[begin:end] for one in turn.kept)


def _append(turns: list[Turn], turn: Turn, *, merge: bool) -> None:
    last = turns[-1] if turns else None
    if not (turn.parts or turn.calls or turn.kept):
        return  # nothing but empty text: no wire takes that, and nothing is lost
    if merge and last is not None and last.role == turn.role and not (last.calls or last.kept or turn.kept):
        last.parts += turn.parts
        last.calls += turn.calls
        last.reasoning = "\n\n".join(filter(None, (last.reasoning, turn.reasoning))) or None
    else:
        turns.append(turn)


def _turn(message: Json, path: str, draft: Draft, wire: str, *, reasoning: bool) -> Turn:
    role = message["role"]
    if message.get("name") is not None:
        draft.report(f"{path}.name", "dropped", "the wire has no names of speakers")
    turn = Turn("system" if role in {"system", "developer"} else role, path, _parts(message, path, draft))
    if role != "assistant":
        return turn
    if message.get("audio") is not None:
        draft.report(f"{path}.audio", "dropped", "the wire knows no earlier spoken answers")
    if message.get("refusal"):
        turn.parts.append({"type": "text", "text": message["refusal"], "path": f"{path}.refusal"})
        draft.report(f"{path}.refusal", "emulated", "the wire knows no refusals; sent as text")
    turn.calls = [
        _call(call, f"{path}.tool_calls[{number}]")
        for number, call in enumerate(message.get("tool_calls") or ())
    ]
    turn.kept = own_blocks(message, path, draft, wire)
    thoughts = (message.get("reasoning"), message.get("reasoning_content"))
    turn.reasoning = next((text for text in thoughts if isinstance(text, str) and text), None)
    silent = not (turn.parts or turn.calls)  # no wire takes thinking alone, so such a turn will not be sent
    if turn.reasoning and not turn.kept and (silent or not reasoning):
        draft.report(f"{path}.reasoning", "dropped", "earlier reasoning is not taken back here")
    return turn


def _parts(message: Json, path: str, draft: Draft) -> list[Json]:
    content = message.get("content")
    parts: list[Json] = []
    if not isinstance(content, list):
        parts += [{"type": "text", "text": content, "path": f"{path}.content"}] if _said(content) else []
        content = []
    for place, part in enumerate(content):
        here = f"{path}.content[{place}]"
        if part.get("type") == "refusal":
            draft.report(here, "emulated", "the wire knows no refusal parts; sent as text")
            part = {"type": "text", "text": part["refusal"]}
        if part.get("type") != "text" or _said(part["text"]):
            parts.append({**part, "path": here})
    mark = message.get("cache_control")
    if mark and parts:
        parts[-1].setdefault("cache_control", mark)
    return parts


def _said(text: str | None) -> bool:
    return bool(text and text.strip())


def _call(call: Json, path: str) -> Call:
    rest = {key: value for key, value in call.items() if key not in {"id", "type", "function", "custom"}}
    custom = call.get("custom")
    if call.get("type") == "custom" and custom:
        return Call(call["id"], custom.get("name", ""), custom.get("input", ""), path, True, rest)
    function = call.get("function") or {}
    return Call(call["id"], function.get("name", ""), function.get("arguments", ""), path, False, rest)


def custom_arguments(call: Call) -> str:
    """A custom call's free text as the arguments of a function, for wires that know only those."""
    return json.dumps({"input": call.arguments}, ensure_ascii=False) if call.custom else call.arguments


def _results(messages: list[Json], draft: Draft) -> dict[tuple[int, int], list[tuple[int, Json]]]:
    """The tool messages by the call they answer: the last one before them that bears their id.

    A call is known by the place of its message and its number there, since some providers give the same ids
    in every answer.
    """
    found: dict[tuple[int, int], list[tuple[int, Json]]] = {}
    latest: dict[str, tuple[int, int]] = {}
    spoken = 0  # the last place of anyone but a tool
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            message.pop("name", None)  # the call tells it
            call = latest[message["tool_call_id"]]
            if call[0] != spoken:
                draft.report(f"messages[{place}]", "emulated", "the result is moved to its call")
            found.setdefault(call, []).append((place, message))
            continue
        spoken = place
        latest.update((call["id"], (place, at)) for at, call in enumerate(message.get("tool_calls") or ()))
    return found


def _answers(
    turn: Turn, place: int, results: dict[tuple[int, int], list[tuple[int, Json]]], draft: Draft
) -> list[Result]:
    """One result for each call, in the order of the calls."""
    return [_answer(call, results.get((place, at), []), draft) for at, call in enumerate(turn.calls)]


def _answer(call: Call, given: list[tuple[int, Json]], draft: Draft) -> Result:
    if not given:
        draft.report(call.path, "emulated", "the call has no result; a note stands for it")
        missing: Json = {"type": "text", "text": UNANSWERED, "path": call.path}
        return Result(call, [missing], call.path, is_error=True)
    parts: list[Json] = []
    for number, (place, message) in enumerate(given):
        parts += _parts(message, f"messages[{place}]", draft)
        if number:
            draft.report(f"messages[{place}]", "emulated", "a second result is joined to the first")
    first, message = given[0]
    return Result(call, parts, f"messages[{first}]", is_error=message.get("is_error") is True)
