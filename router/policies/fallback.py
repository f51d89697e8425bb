"""The layer that walks a plan: the next target is tried after a failure whose kind allows it.

The kind alone decides, never the provider's name. Kinds with a branch of their own (`context_window`,
`content_policy`) go there at once and end where the branch ends. Any other kind goes on to the next target
if the route's `fallback_on` has it, and is raised as it is if not.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from turnout.providers.errors import ProviderError, UnsupportedError

from ..clock import Clock
from ..errors import AllTargetsFailedError
from ..events import Events
from ..pipeline import Call, Handler, Layer, Reply
from ..planning import PlannedTarget


def fallback(clock: Clock, events: Events) -> Layer:
    """Try the plan's targets one after another until an answer begins."""

    def layer(inner: Handler) -> Handler:
        @asynccontextmanager
        async def falling_back(call: Call) -> AsyncIterator[Reply]:
            async with AsyncExitStack() as stack:
                reply = await _first_answer(call, inner, stack, clock, events)
                yield reply

        return falling_back

    return layer


async def _first_answer(
    call: Call, inner: Handler, stack: AsyncExitStack, clock: Clock, events: Events
) -> Reply:
    ahead = deque(call.plan.targets)
    tried = 0
    while True:
        planned = ahead.popleft()
        tried += 1
        try:
            aimed = dataclasses.replace(call, target=planned, later=len(ahead))
            return await stack.enter_async_context(inner(aimed))
        except (ProviderError, UnsupportedError) as error:
            _turn(call, planned, error, ahead)
            if not ahead or clock.monotonic() >= call.ends_at or not call.attempts_left:
                if tried == 1:
                    raise  # nothing else was tried, so the provider's own error says it best
                raise _final(call) from error
            _tell(events, call, planned, error, ahead[0])


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
