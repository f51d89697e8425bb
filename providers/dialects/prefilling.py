"""Requests that are to be gone on with: their last message is the beginning of the answer.

A stream that broke off can be finished by another model, if that one writes on from a given beginning. How a
host is told so stands in its row (`prefill`), and which models do it among their capabilities; where nobody
knows, the answer would be begun anew, so it is not tried. A model does not think in the middle of its answer,
so thinking is switched off for such a request, and a model that cannot stop it is not asked.
"""

from __future__ import annotations

from ..catalogue import Prefill
from ..chat import ChatCompletion
from ..dialect import Target
from ..errors import UnsupportedError
from ..thinking import UNSET, Intent
from .draft import Draft, rules_of

CONTINUES = "continues_answer"
"""Extra field of a request whose last message is to be gone on with: about how many tokens that message has.
It is for dialects alone and never sent."""

_WIRES = frozenset({"openai", "anthropic", "bedrock", "ollama"})
"""Dialects that can say it; a row for another one may extend a row of these."""
_LIMITS = ("max_completion_tokens", "max_tokens")
_THINKING = ("enable_thinking", "reasoning_effort", "thinking_budget")


def prefill_of(target: Target) -> Prefill | None:
    """How a target is told to go on with an answer; None where it cannot be relied on to do so."""
    return target.once(_prefill)


def _prefill(target: Target) -> Prefill | None:
    rules = rules_of(target)
    stops_thinking = rules.thinking.off or rules.thinking.never
    if not rules.capabilities.prefill or not stops_thinking or "no_prefill" in rules.flags:
        return None
    return target.preset.prefill if target.preset.dialect in _WIRES else None


def obstacle(request: ChatCompletion, target: Target) -> tuple[str, str] | None:
    """What keeps a target from going on with the answer to a request: the field and the reason; or None."""
    prefill = prefill_of(target)
    if prefill is None:
        return "messages", "the model is not known to go on with an answer that has begun"
    if request.n not in (None, 1):
        return "n", "only a single answer can be gone on with"
    wanted = request.response_format
    if wanted is not None and wanted.type != "text":
        return "response_format", "half a JSON text cannot be gone on with under the rules of the whole"
    if request.audio is not None or "audio" in (request.modalities or ()):
        return "modalities", "a spoken answer cannot be gone on with"
    if request.tool_choice not in (None, "auto", "none"):
        return "tool_choice", "a model that must call a tool does not go on with a text"
    if request.tools and not prefill.tools and request.tool_choice != "none":
        return "tools", "the host is not known to go on with an answer beside tools"
    return None


def settle_prefill(request: ChatCompletion, draft: Draft) -> None:
    """Have the answer gone on with, as the request asks; UnsupportedError, whatever may be dropped."""
    said = draft.payload.pop(CONTINUES)
    found = obstacle(request, draft.target)
    if found is not None:
        name, reason = found
        raise UnsupportedError(
            f"{draft.target}: {name}: {reason}; choose another target",
            field=name,
            provider=draft.target.provider,
            model=draft.target.model,
        )
    draft.prefill = prefill_of(draft.target)
    for name in _LIMITS:
        if name in draft.payload:
            draft.payload[name] = max(draft.payload[name] - said, 1)
    _stop_thinking(draft)


def _stop_thinking(draft: Draft) -> None:
    """The thinking was done before the answer began."""
    thinking, intent = draft.thinking, draft.intent
    if thinking.default_on is False and intent.mode in ("unset", "off"):
        return
    for name in _THINKING:
        draft.payload.pop(name, None)
    draft.intent = UNSET if thinking.style == "none" else Intent("off", source=intent.source)
    if intent.mode not in ("unset", "off"):
        draft.report(intent.source, "dropped", "the answer has begun already, and is gone on with")
