"""What of an answer has to come back in the next request, and how it is given back.

The wire is stateless here: nothing is stored at the provider, so its reasoning lives on only in encrypted
items that ride along with the conversation. A reasoning item is refused without the items that it produced,
and an item's id is refused without its reasoning (`required following item`, `required 'reasoning' item`).
So an answer is given back complete, in its order and with its ids, or without all of them.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from ..dialect import Target
from .draft import Draft, Json
from .keeping import Kept, keep
from .responses_content import REFUSED, said_parts
from .responses_items import parts_of
from .tooling import fitted_id
from .turns import Call, Turn, custom_arguments

WIRE = "responses"
"""The name under which blocks are kept."""
CALLS = ("function_call", "custom_tool_call")
"""Types of items that call a tool of the caller's."""
_KNOWN = frozenset({"message", "reasoning", *CALLS})
_MADE_UNIQUE = re.compile(r"(call_\d+)-[0-9a-f]{8}")


def is_other(item: Json) -> bool:
    """Whether an item is none of those that the contract has a place for."""
    return item.get("type") not in _KNOWN


def details_of(items: list[Json], target: Target) -> list[Json]:
    """The details that carry an answer's items into the next request; none where nothing would be lost."""
    if not any(_says_more(item) for item in items):
        return []
    return [keep(target, WIRE, str(item.get("type")), place, _slim(item)) for place, item in enumerate(items)]


def _says_more(item: Json) -> bool:
    """Whether an item holds what a message of the contract does not."""
    names = ("encrypted_content", "signature", "phase", "namespace", "caller")
    return is_other(item) or any(item.get(name) for name in names)


def _slim(item: Json) -> Json:
    """An item without what the message holds already, and without what is only told."""
    if item.get("type") in CALLS:
        dropped = ("arguments", "input", "name", "status")
        return {name: value for name, value in item.items() if name not in dropped and value is not None}
    if item.get("type") != "message":
        return item
    parts = [{**part} for part in parts_of(item)]
    for part in parts:
        part.pop("logprobs", None)
    return {**item, "content": parts}


def unique_id(call_id: str, response_id: str) -> str:
    """A call's id on a host that counts its calls from 0 in every answer."""
    return f"{call_id}-{sha256(response_id.encode()).hexdigest()[:8]}"


def call_ids(turns: list[Turn], draft: Draft) -> dict[str, str]:
    """The wire's id of every call, by the path of the call: short enough, and no id twice."""
    ids: dict[str, str] = {}
    taken: set[str] = set()
    repeats = "restarting_call_ids" in draft.flags
    for call in (call for turn in turns for call in turn.calls):
        made = _MADE_UNIQUE.fullmatch(call.id) if repeats else None
        identity = made[1] if made else fitted_id(call.id, "A-Za-z0-9_-")
        if identity in taken and not repeats:
            identity = f"call_{sha256(f'{call.id}@{call.path}'.encode()).hexdigest()[:24]}"
        taken.add(identity)
        ids[call.path] = identity
    return ids


def assistant_items(turn: Turn, ids: dict[str, str], draft: Draft) -> list[Json]:
    """The items of one assistant's message."""
    calls = [_call(call, ids[call.path], draft) for call in turn.calls]
    if not turn.kept:
        return _plain(turn, calls, draft)
    if not _unchanged(turn, ids):
        draft.report(
            f"{turn.path}.reasoning_details",
            "dropped",
            "the message was changed since; sent without ids",
        )
        return _plain(turn, calls, draft)
    if not _complete(turn.kept, draft):
        return _without_ids(turn, calls, draft)
    waiting = iter(calls)
    return [_again(kept, waiting, draft) for kept in turn.kept]


def _plain(turn: Turn, calls: list[Json], draft: Draft) -> list[Json]:
    """An answer of which nothing was kept, or that cannot be given back whole."""
    items = _thoughts(turn, draft)
    content = said_parts(turn.parts, draft)
    if content:
        items.append({"role": "assistant", "content": content})
    return [*items, *calls]


def takes_thoughts(draft: Draft) -> bool:
    """Whether the host takes earlier thinking back as plain text."""
    return "plain_reasoning" in draft.flags and draft.preset.replay != "never"


def _thoughts(turn: Turn, draft: Draft) -> list[Json]:
    """Plain earlier thinking, for hosts that take it back as text."""
    if not turn.reasoning or not takes_thoughts(draft):
        return []
    if draft.preset.replay == "tool_calls" and not turn.calls:
        draft.report(f"{turn.path}.reasoning", "dropped", "earlier reasoning is only taken beside tool calls")
        return []
    identity = sha256(turn.reasoning.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    content = [{"type": "reasoning_text", "text": turn.reasoning}]
    return [{"type": "reasoning", "id": f"rs_{identity}", "summary": [], "content": content}]


def _call(call: Call, identity: str, draft: Draft) -> Json:
    """A call as an item."""
    if call.custom and not draft.lacks("tools.custom"):
        return {
            "type": "custom_tool_call", "call_id": identity, "name": call.name, "input": call.arguments,
        }  # fmt: skip
    if call.custom:
        draft.report(call.path, "emulated", "the wire knows no custom tools; sent as a function")
    return {
        "type": "function_call",
        "call_id": identity,
        "name": call.name,
        "arguments": custom_arguments(call).strip() or "{}",
    }


def _unchanged(turn: Turn, ids: dict[str, str]) -> bool:
    """Whether the kept items still say what the message says."""
    messages = [kept.block for kept in turn.kept if kept.kind == "message"]
    calls = [kept.block.get("call_id") for kept in turn.kept if kept.kind in CALLS]
    refused = "".join(part["refusal"] for part in turn.parts if part.get("type") == REFUSED)
    return (
        "".join(text_of(block) for block in messages).strip() == turn.text.strip()
        and "".join(refusal_of(block) for block in messages) == refused
        and [fitted_id(str(identity), "A-Za-z0-9_-") for identity in calls]
        == [ids[call.path] for call in turn.calls]
    )


def _complete(kept: list[Kept], draft: Draft) -> bool:
    """Whether the items may go back with their ids: reasoning can be verified and leads to something."""
    thoughts = [one.block for one in kept if one.kind == "reasoning"]
    plain = "plain_reasoning" in draft.flags
    verified = all(block.get("encrypted_content") or (plain and block.get("content")) for block in thoughts)
    others = any(is_other(one.block) for one in kept)
    places = [one.place for one in kept] == list(range(len(kept)))
    return bool(thoughts or others) and verified and places and kept[-1].kind != "reasoning"


def _again(kept: Kept, calls: Any, draft: Draft) -> Json:
    """A kept item as it is written again."""
    block = {name: value for name, value in kept.block.items() if value is not None}
    if kept.kind in CALLS:
        return {**block, **next(calls)}
    if kept.kind == "reasoning":
        block.pop("status", None)
        if "plain_reasoning" not in draft.flags:
            block.pop("content", None)
        return {"summary": [], **block}
    if kept.kind == "message" and "bare_items" in draft.flags:
        block.pop("status", None)
    return block


def _without_ids(turn: Turn, calls: list[Json], draft: Draft) -> list[Json]:
    """An answer without its reasoning and ids; the phases of its messages stay."""
    if any(kept.kind == "reasoning" for kept in turn.kept):
        draft.report(
            f"{turn.path}.reasoning_details", "dropped", "the reasoning was not kept whole; sent without it"
        )
    waiting = iter(calls)
    items: list[Json] = []
    for kept in turn.kept:
        if kept.kind in CALLS:
            own = {name: kept.block[name] for name in ("namespace", "caller") if kept.block.get(name)}
            items.append({**next(waiting), **own})
        elif kept.kind == "message" and (said := text_of(kept.block) or refusal_of(kept.block)):
            phase = kept.block.get("phase")
            items.append({"role": "assistant", "content": said} | ({"phase": phase} if phase else {}))
    return items


def text_of(message: Json) -> str:
    """All text of a message item."""
    return "".join(part.get("text") or "" for part in message.get("content") or ())


def refusal_of(message: Json) -> str:
    """The refusal in a message item; empty where there is none."""
    return "".join(part.get("refusal") or "" for part in message.get("content") or ())
