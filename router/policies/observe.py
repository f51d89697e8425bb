"""The outermost layer: tells how calls begin and end, and leaves the attempts on a failed call's error."""

from __future__ import annotations

from typing import Any

from turnout.config.errors import TurnoutError
from turnout.providers.errors import ProviderError

from ..clock import Clock
from ..errors import FunctionError
from ..events import Events
from ..pipeline import Call, Handler, Layer, Reply


def observe(clock: Clock, events: Events) -> Layer:
    """Emit the events of a whole call."""

    def layer(inner: Handler) -> Handler:
        async def observed(call: Call) -> Reply:
            if call.told:
                events.emit("call.started", lambda: {"call_id": call.id, "route": call.plan.route})
            try:
                reply = await inner(call)
            except TurnoutError as error:
                if isinstance(error, (ProviderError, FunctionError)):
                    error.attempts = call.trace().attempts
                kind = _kind(error)
                events.emit("call.failed", lambda: {**_facts(call, clock), "kind": kind})
                raise
            if reply.end is None:
                reply.when_ended(lambda ended: _tell_end(events, call, ended, clock))
            elif call.told or reply.error is not None:
                _tell_end(events, call, reply, clock)
            return reply

        return observed

    return layer


def _tell_end(events: Events, call: Call, reply: Reply, clock: Clock) -> None:
    error = reply.error
    if error is not None:
        error.attempts = call.trace().attempts
        events.emit("call.failed", lambda: {**_facts(call, clock), "kind": error.kind})
    elif call.told:
        events.emit("call.finished", lambda: {**_facts(call, clock), "target": reply.target.name})


def _facts(call: Call, clock: Clock) -> dict[str, Any]:
    trace = call.trace()
    usage, amount = trace.usage, trace.cost.amount
    return {
        "call_id": call.id,
        "route": call.plan.route,
        "attempts": len(trace.attempts),
        "seconds": clock.monotonic() - call.journal.began_at,
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "cost": None if amount is None else str(amount),
    }


def _kind(error: TurnoutError) -> str:
    """The kind of the error, or of the one at its root; the class's name where it has none."""
    found = getattr(error, "kind", None) or getattr(error.__cause__, "kind", None)
    return found or type(error).__name__
