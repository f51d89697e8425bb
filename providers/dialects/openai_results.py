"""Results of tools where the hosts want them: right after the message that calls, one for each call.

The contract lets a result come later, or never; most hosts refuse that. A result is moved to its call, a
second one for the same call is joined to the first, and a note stands for one that is missing.
"""

from __future__ import annotations

from .draft import Draft, Json

Placed = tuple[str, Json]
"""A message with its path in the request."""


def placed_results(messages: list[Json], draft: Draft) -> list[Placed]:
    """The messages with their paths, each call followed by its result."""
    named = [(f"messages[{place}]", message) for place, message in enumerate(messages)]
    if not any(message.get("tool_calls") for message in messages):
        return named
    from .turns import UNANSWERED

    results = _results(named, draft)
    ordered: list[Placed] = []
    for place, (path, message) in enumerate(named):
        if message["role"] == "tool":
            continue
        ordered.append((path, message))
        for number, call in enumerate(message.get("tool_calls") or ()):
            if (place, number) not in results:
                where = f"{path}.tool_calls[{number}]"
                draft.report(where, "emulated", "the call has no result; a note stands for it")
                note = {"role": "tool", "tool_call_id": call["id"], "content": UNANSWERED}
                results[place, number] = (where, note)
        ordered += [result for (home, _), result in results.items() if home == place]
    return ordered


def _results(named: list[Placed], draft: Draft) -> dict[tuple[int, int], Placed]:
    """The result of each call by the place of the call's message and its number there.

    A result belongs to the last call before it that bears its id: some hosts give the same ids in every
    answer.
    """
    found: dict[tuple[int, int], Placed] = {}
    latest: dict[str, tuple[int, int]] = {}
    spoken = 0  # the last place of anyone but a tool
    for place, (path, message) in enumerate(named):
        if message["role"] != "tool":
            spoken = place
            latest |= {call["id"]: (place, at) for at, call in enumerate(message.get("tool_calls") or ())}
            continue
        call = latest[message["tool_call_id"]]
        if call in found:
            _join(found[call][1], message)
            draft.report(path, "emulated", "a second result is joined to the first")
            continue
        found[call] = (path, message)
        if call[0] != spoken:
            draft.report(path, "emulated", "the result is moved to its call")
    return found


def _join(first: Json, second: Json) -> None:
    parts = [*_parts(first), *_parts(second)]
    if all(part.keys() == {"type", "text"} for part in parts):  # many hosts take a result as plain text only
        first["content"] = "\n".join(part["text"] for part in parts)
    else:
        first["content"] = parts


def _parts(message: Json) -> list[Json]:
    content = message.get("content") or []
    return content if isinstance(content, list) else [{"type": "text", "text": content}]
