"""What came of a call: its attempts as a table, its totals as a line."""

from __future__ import annotations

from collections.abc import Iterable

from ..accounting import Attempt, Trace
from .screen import Screen, duration, money

COLUMNS = ("#", "target", "outcome", "why", "seconds", "tokens", "cost")
_NUMBERS = ("#", "seconds", "tokens", "cost")


def attempts_table(screen: Screen, attempts: Iterable[Attempt]) -> None:
    """One row for each attempt."""
    screen.table(COLUMNS, [_row(attempt) for attempt in attempts], numbers=_NUMBERS)


def why(attempt: Attempt) -> str:
    """The class of an attempt's error and its HTTP status, or a dash."""
    error = attempt.error
    if error is None:
        return "-"
    return error.kind if error.status is None else f"{error.kind} {error.status}"


def totals(trace: Trace) -> str:
    """Attempts, tokens, money and time of a call, in one line."""
    count = len(trace.attempts)
    parts = [f"{count} attempt{'' if count == 1 else 's'}"]
    usage = trace.usage
    parts.append("tokens unknown" if usage is None else _tokens(usage.prompt_tokens, usage.completion_tokens))
    cost = trace.cost
    parts.append(f"cost {money(cost.amount)}" + ("" if cost.amount is None else f" ({_source(trace)})"))
    parts.append(f"{duration(trace.seconds)} s")
    return ", ".join(parts)


def _row(attempt: Attempt) -> tuple[str, ...]:
    usage = attempt.usage
    return (
        str(attempt.number),
        attempt.target,
        attempt.outcome,
        why(attempt),
        duration(attempt.seconds),
        "-" if usage is None else str(usage.total_tokens),
        money(attempt.cost.amount) if attempt.sent else "-",
    )


def _tokens(prompt: int, completion: int) -> str:
    return f"{prompt} + {completion} tokens"


def _source(trace: Trace) -> str:
    known = trace.cost.basis if trace.cost.price is None else f"{trace.cost.basis}: {trace.cost.price}"
    unknown = trace.unknown_cost_attempts
    if not unknown:
        return known
    return f"{known}; without {unknown} attempt{'' if unknown == 1 else 's'} of unknown cost"
