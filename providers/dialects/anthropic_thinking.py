"""What Anthropic asks for beyond the words for thinking: room for the answer, and signed history.

Source: Claude docs on extended and adaptive thinking, read 2026-11-21. Models that are given a budget of
tokens must be left room beside it, and must get the thinking back that began a running tool loop; models that
think adaptively need neither.
"""

from __future__ import annotations

from ..thinking import Intent
from .anthropic_messages import THOUGHT
from .draft import Draft, Json
from .turns import Turn, loop_without
from .writing import compile_intent

_OFF = frozenset({"disabled", "between_tools"})


def settle_thinking(draft: Draft, turns: list[Turn], limit: int, body: Json) -> None:
    """Bring the intent's words to what the wire takes in this request; the caller's own `thinking` wins."""
    own = draft.take("thinking")
    if isinstance(own, dict):
        _take_over(own, draft, body)
    elif draft.active and draft.thinking.budget:
        _settle_budget(draft, draft.thinking.budget, turns, limit)


def _take_over(own: Json, draft: Draft, body: Json) -> None:
    """The request brings the wire's own field, which is sent as it is."""
    body["thinking"] = own
    draft.active = own.get("type") not in _OFF
    draft.thinking = draft.thinking.model_copy(update={"send": {}})
    ours = [path for path in draft.words if path.partition(".")[0] == "thinking"]
    for path in ours:
        del draft.words[path]
    if ours:
        draft.report(draft.intent.source, "dropped", "the request's own thinking is sent instead")


def _settle_budget(draft: Draft, path: str, turns: list[Turn], limit: int) -> None:
    thinking, words = draft.thinking, draft.words
    least = thinking.budget_range[0] if thinking.budget_range else 1
    if loop_without(THOUGHT, turns):
        _switch_off(draft, "the running tool loop came without its signed thinking")
    elif limit <= least:
        _switch_off(draft, f"a limit of {limit} tokens leaves no room for {least} of thinking, the least")
    else:
        effort = draft.intent.effort or ""
        budget = words.get(path) or thinking.budgets.get(effort) or thinking.budget_on or least
        if budget >= limit:
            cut = max(least, limit * 3 // 4)
            draft.report(draft.intent.source, "clamped", f"{cut} of the {limit} tokens are for thinking")
            budget = cut
        words[path] = budget


def _switch_off(draft: Draft, reason: str) -> None:
    field = draft.thinking.effort_field
    effort = draft.words.get(field) if draft.thinking.efforts else None
    source = draft.intent.source
    compile_intent(Intent("off", source=source), draft)
    if effort is not None:  # it also says how much to write
        draft.words[field] = effort
    draft.report(source, "dropped", f"{reason}; thinking is off for this request")
