"""One intent out of `enable_thinking`, `reasoning_effort` and `thinking_budget`, and its words on a wire.

Every host spells thinking in its own way; the catalogue's `Thinking` says how. Here the caller's three fields
become one `Intent`, and an intent becomes the fields of one wire, with an `Adaptation` for whatever the wire
could not say exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from .catalogue import Thinking
from .chat import ChatCompletion
from .dialect import Action, Adaptation
from .errors import RequestError, UnsupportedError

Mode = Literal["unset", "off", "on", "effort", "budget"]

RANKS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Effort words from weakest to strongest."""

BUDGETS = {"minimal": 1024, "low": 4096, "medium": 16384}
"""Reasoning tokens that stand for an effort where a wire only knows budgets; stronger ones are unbounded."""


class Intent(NamedTuple):
    """What the caller wants of thinking.

    `mode` is the most exact thing said: nothing, off, on, an effort or a budget of tokens. `effort` may stand
    beside a budget. `source` is the request field that said it, for messages.
    """

    mode: Mode = "unset"
    effort: str | None = None
    budget: int | None = None
    source: str = "enable_thinking"


UNSET = Intent()
"""Nothing is said of thinking, as in most requests."""


@dataclass(slots=True)
class Compiled:
    """A wire's fields for an intent, and whether the model will think: None where nobody knows."""

    active: bool | None
    fields: dict[str, Any] = field(default_factory=dict)
    """Dotted path -> value."""
    adaptations: list[Adaptation] = field(default_factory=list)

    def report(self, name: str, action: Action, reason: str) -> None:
        """Note one departure from what was asked."""
        self.adaptations.append(Adaptation(field=name, action=action, reason=reason))


def thinking_intent(request: ChatCompletion) -> Intent:
    """The one meaning of the request's three thinking fields; RequestError where they contradict."""
    switch, effort, budget = request.enable_thinking, request.reasoning_effort, request.thinking_budget
    if switch is None and effort is None and budget is None:
        return UNSET
    off = [
        name
        for name, is_off in (("reasoning_effort", effort == "none"), ("thinking_budget", budget == 0))
        if is_off
    ]
    on = [
        name
        for name, value in (("reasoning_effort", effort), ("thinking_budget", budget))
        if value and name not in off
    ]
    if switch is True and off:
        raise RequestError(
            f"enable_thinking is true but {off[0]} switches thinking off; give one of them", field=off[0]
        )
    if on and (off or switch is False):
        other = "enable_thinking" if switch is False else off[0]
        raise RequestError(
            f"{other} switches thinking off but {on[0]} asks for it; give one of them", field=on[0]
        )
    if switch is False or off:
        return Intent("off", source="enable_thinking" if switch is False else off[0])
    if budget is not None:
        return Intent("budget", effort=effort, budget=budget, source="thinking_budget")
    if effort is not None:
        return Intent("effort", effort=effort, source="reasoning_effort")
    return Intent("on")


def compile_thinking(
    intent: Intent, thinking: Thinking, *, refuse: bool = True, model: str = "the model"
) -> Compiled:
    """The wire fields for an intent; UnsupportedError where it cannot be off and `refuse` is set."""
    if intent.mode == "unset":
        return Compiled(active=thinking.default_on)
    if intent.mode == "off":
        return _off(intent, thinking, refuse=refuse, model=model)
    if thinking.never:
        compiled = Compiled(active=False)
        compiled.report(intent.source, "dropped", f"{model} does not think")
        return compiled
    return _on(intent, thinking)


def fold_effort(effort: str, thinking: Thinking) -> str:
    """The wire's word nearest to an effort, the weaker of two equally near; unknown words pass through."""
    if effort in thinking.efforts:
        return effort
    if effort in thinking.aliases:
        return thinking.aliases[effort]
    known = [word for word in thinking.efforts if word in RANKS]
    if not known:
        return thinking.efforts[-1]
    if effort not in RANKS:
        return effort
    return min(known, key=lambda word: (abs(RANKS.index(word) - RANKS.index(effort)), RANKS.index(word)))


def effort_of_budget(budget: int) -> str:
    """The effort that stands for a number of reasoning tokens where a wire only knows efforts."""
    return next((effort for effort, tokens in BUDGETS.items() if budget <= tokens), "high")


def _off(intent: Intent, thinking: Thinking, *, refuse: bool, model: str) -> Compiled:
    if thinking.never:
        return Compiled(active=False)
    if thinking.off and thinking.style != "none":
        return Compiled(active=False, fields=_switch(thinking, on=False))
    if refuse:
        raise UnsupportedError(
            f"{model} cannot stop thinking; choose another model, or set on_unsupported to drop",
            field=intent.source,
        )
    compiled = Compiled(active=thinking.default_on)
    if thinking.efforts:
        compiled.fields[thinking.effort_field] = thinking.efforts[0]
        compiled.report(
            intent.source, "clamped", f"cannot be off; lowest effort {thinking.efforts[0]} asked for"
        )
    else:
        compiled.report(intent.source, "dropped", "thinking cannot be switched off here")
    return compiled


def _on(intent: Intent, thinking: Thinking) -> Compiled:
    compiled = Compiled(active=True if thinking.style != "none" or thinking.efforts else thinking.default_on)
    effort, budget = intent.effort, intent.budget
    if budget is not None and thinking.budget:
        compiled.fields[thinking.budget] = _within_range(budget, thinking, compiled)
        if effort is not None:
            compiled.report(
                "reasoning_effort", "dropped", "the wire takes a budget or an effort; thinking_budget is sent"
            )
    elif budget is not None:
        effort = _effort_for_budget(budget, effort, thinking, compiled)
        _put_effort(effort, thinking, compiled)
    elif effort is not None:
        _put_effort(effort, thinking, compiled)
    elif thinking.budget and thinking.budget_on is not None:
        compiled.fields[thinking.budget] = thinking.budget_on
    elif thinking.style == "none" and thinking.default_on is None:
        compiled.report("enable_thinking", "dropped", "the wire has no control of thinking")
    beside = any(path.startswith("reasoning.") for path in compiled.fields)
    if not (beside and thinking.style == "reasoning_object"):  # whatever stands beside that one switches on
        compiled.fields = {**_switch(thinking, on=True), **compiled.fields}
    return compiled


def _within_range(budget: int, thinking: Thinking, compiled: Compiled) -> int:
    if thinking.budget_range is None:
        return budget
    least, most = thinking.budget_range
    taken = min(max(budget, least), most)
    if taken != budget:
        compiled.report("thinking_budget", "clamped", f"the wire takes {least} to {most}; {taken} is sent")
    return taken


def _effort_for_budget(budget: int, effort: str | None, thinking: Thinking, compiled: Compiled) -> str | None:
    """An effort in place of a budget that the wire cannot say."""
    if not thinking.efforts:
        compiled.report("thinking_budget", "dropped", "the wire cannot bound reasoning tokens")
        return effort
    if effort is not None:
        compiled.report(
            "thinking_budget", "dropped", f"the wire takes no budget; reasoning_effort {effort} is sent"
        )
        return effort
    word = fold_effort(effort_of_budget(budget), thinking)
    compiled.report(
        "thinking_budget", "emulated", f"the wire takes no budget; effort {word} stands for {budget} tokens"
    )
    return word


def _put_effort(effort: str | None, thinking: Thinking, compiled: Compiled) -> None:
    if effort is None:
        return
    if thinking.efforts:
        word = fold_effort(effort, thinking)
        compiled.fields[thinking.effort_field] = word
        if word.lower() != effort.lower():
            compiled.report("reasoning_effort", "clamped", f"{effort} is not known here; {word} is sent")
    elif thinking.budget:
        tokens = (thinking.budgets or BUDGETS).get(effort, thinking.budget_on)
        if tokens is not None:
            compiled.fields[thinking.budget] = tokens
        bound = f"a budget of {tokens} tokens" if (tokens or 0) > 0 else "thinking without a bound"
        compiled.report(
            "reasoning_effort", "emulated", f"the wire takes no effort; {bound} stands for {effort}"
        )
    elif thinking.style == "none":
        compiled.report("reasoning_effort", "dropped", "the wire has no control of thinking")
    else:
        compiled.report(
            "reasoning_effort", "emulated", f"the wire only knows on and off; on stands for {effort}"
        )


def _switch(thinking: Thinking, *, on: bool) -> dict[str, Any]:
    """The fields that say plain on or off."""
    word = thinking.on_word if on else thinking.off_word
    if on and not thinking.on_word:
        return {}
    match thinking.style:
        case "effort":
            return {thinking.effort_field: word}
        case "enable_thinking":
            return {"enable_thinking": on}
        case "template":
            return {f"chat_template_kwargs.{key}": on for key in thinking.template_keys}
        case "type":
            return {thinking.switch_field: word}
        case "flag":
            return {thinking.switch_field: on}
        case "budget":
            return {} if on or thinking.budget is None else {thinking.budget: 0}
        case "reasoning_object":
            return {"reasoning.enabled": on}
        case "none":
            return {}
