"""The layer that walks a plan: the next target is tried after a failure whose kind allows it.

The kind alone decides, never the provider's name. Kinds with a branch of their own (`context_window`,
`content_policy`) go there at once and end where the branch ends. Any other kind goes on to the next target
if the route's `fallback_on` has it, and is raised as it is if not.
"""

from __future__ import annotations

from collections import deque

from turnout.providers.errors import ProviderError, UnsupportedError

from ..clock import Clock
from ..errors import AllTargetsFailedError
from ..events import Events
from ..pipeline import Call, Handler, Layer, Reply
from ..planning import PlannedTarget


def fallback(clock: Clock, events: Events) -> Layer:
    """Try the plan's targets one after another until an answer begins.

    A call comes here aimed at the first target of its plan.
    """

    def layer(inner: Handler) -> Handler:
        async def falling_back(call: Call) -> Reply:
            try:
                return await inner(call)
            except (ProviderError, UnsupportedError) as error:
                return await _next_answer(call, error, inner, clock, events)

        return falling_back

    return layer


async def _next_answer(
    call: Call, error: ProviderError | UnsupportedError, inner: Handler, clock: Clock, events: Events
) -> Reply:
    """The answer of a target behind the first, which failed with `error`."""
    planned = call.target
    ahead = deque(call.plan.targets[1:])
    tried = 1
    while True:
        _turn(call, planned, error, ahead)
        if not ahead or clock.monotonic() >= call.ends_at or not call.attempts_left:
            if tried == 1:
                raise error  # nothing else was tried, so the provider's own error says it best
            raise _final(call) from error
        _tell(events, call, planned, error, ahead[0])
        planned = ahead.popleft()
        tried += 1
        try:
            return await inner(call.aimed(planned, len(ahead)))
        except (ProviderError, UnsupportedError) as failure:
            error = failure


def _turn(
    call: Call, planned: PlannedTarget, error: ProviderError | UnsupportedError, ahead: deque[PlannedTarget]
) -> None:
    """Set what is ahead after a failure; raise it where the route does not go on after its kind."""
    branch = planned.branches.get(error.kind)
    if branch is not None:
        ahead.clear()
        ahead.extend(branch)
    elif error.kind not in call.plan.fallback_on:
        raise error


def _final(call: Call) -> Exception:
    """What a call raises that has nowhere left to go."""
    errors = call.journal.errors
    if all(isinstance(one, UnsupportedError) for one in errors):
        return _unsupported(errors)
    return AllTargetsFailedError(call.trace().attempts, errors)


def _unsupported(errors: list[ProviderError | UnsupportedError]) -> UnsupportedError:
    """One error for a request that no target of the plan can express."""
    found = [error for error in errors if isinstance(error, UnsupportedError)]
    words = "; ".join(f"{error.provider}/{error.model}: {error}" for error in found)
    first = found[0]
    if len(found) == 1:
        return first
    return UnsupportedError(f"no target of the route can take this request: {words}", field=first.field)


def _tell(
    events: Events,
    call: Call,
    planned: PlannedTarget,
    error: ProviderError | UnsupportedError,
    following: PlannedTarget,
) -> None:
    events.emit(
        "fallback.taken",
        lambda: {
            "call_id": call.id,
            "target": planned.name,
            "kind": error.kind,
            "next_target": following.name,
        },
    )
