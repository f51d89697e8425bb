"""The layer that walks a call's targets: the next one is tried after a failure whose kind allows it.

The kind alone decides, never the provider's name. Kinds with a branch of their own (`context_window`,
`content_policy`) go there at once and end where the branch ends. Any other kind goes on to the next target
if the route's `fallback_on` has it, and is raised as it is if not.

A target that a policy turned away was not tried, so the call always goes on behind it. Where that leaves
nothing, they are tried after all, each once, the one that recovers soonest first: nobody is helped by a call
that sends nothing, and where all targets fail now and then, so that all their breakers are open at a time, a
single try would be a poor hope.

Of a hedged call two runs may be on their way at once. What one of them has taken the other passes by, unless
it was turned away there; and the second run tries nothing as a last hope, for it is none.
"""

from __future__ import annotations

from collections import deque

from turnout.providers.errors import ProviderError, UnsupportedError

from ..clock import Clock
from ..errors import AllTargetsFailedError
from ..events import Events
from ..pipeline import Call, Handler, Layer, Reply
from ..planning import PlannedTarget
from ..rejecting import TargetRejectedError


def fallback(clock: Clock, events: Events) -> Layer:
    """Try a call's targets one after another until an answer begins.

    A call comes here aimed at the first of them.
    """

    def layer(inner: Handler) -> Handler:
        async def falling_back(call: Call) -> Reply:
            try:
                return await inner(call)
            except (ProviderError, UnsupportedError) as error:
                return await _Walk(call, clock, events).go_on(inner, error)

        return falling_back

    return layer


class _Walk:
    """The way of one call behind its first target."""

    def __init__(self, call: Call, clock: Clock, events: Events) -> None:
        self._call = call
        self._clock = clock
        self._events = events
        self._planned = call.target
        self._ahead = deque(call.ahead)
        self._turned_away: list[tuple[float, PlannedTarget]] = []
        self._tried = {call.target.name}
        self._hopes: list[PlannedTarget] = []  # turned away, and tried after all

    async def go_on(self, inner: Handler, error: ProviderError | UnsupportedError) -> Reply:
        """The answer of a target behind the first, which failed with `error`."""
        call = self._call
        while True:
            self._note(error)
            following = self._following()
            if following is None:
                if len(self._tried) == 1:
                    raise error  # nothing else was tried, so the provider's own error says it best
                raise final_error(call) from error
            forced = following not in self._ahead
            if forced:
                self._hopes.append(following)
            else:
                self._ahead.remove(following)
            self._tell(error, following)
            self._planned = following
            self._tried.add(following.name)
            later = len(self._waiting() if forced else self._ahead)
            taken = call.journal.taken
            if taken is not None:
                taken.append(following)
                later -= 0 if forced else sum(planned in taken for planned in self._ahead)
            try:
                return await inner(call.aimed(following, later, forced=forced))
            except (ProviderError, UnsupportedError) as failure:
                error = failure

    def _note(self, error: ProviderError | UnsupportedError) -> None:
        """Set what is ahead after a failure; raise it where the route does not go on after its kind."""
        if isinstance(error, TargetRejectedError):
            wait = error.retry_after
            self._turned_away.append((float("inf") if wait is None else wait, self._planned))
            if self._call.beside and self._call.journal.taken is not None:
                self._call.journal.taken.remove(self._planned)
            return
        branch = self._planned.branches.get(error.kind)
        if branch is not None:
            self._ahead = deque(branch)
            self._turned_away.clear()
        elif error.kind not in self._call.plan.fallback_on:
            raise error

    def _following(self) -> PlannedTarget | None:
        """The next target; the last hope where there is none; None where the call is at its end."""
        if self._clock.monotonic() >= self._call.ends_at or not self._call.attempts_left:
            return None
        taken = self._call.journal.taken or ()
        for planned in self._ahead:
            if planned not in taken:
                return planned
        waiting = self._waiting()
        if not waiting or self._call.beside:
            return None
        return min(waiting, key=lambda one: one[0])[1]

    def _waiting(self) -> list[tuple[float, PlannedTarget]]:
        """The targets that were turned away and not tried since, each with the seconds until it recovers."""
        return [one for one in self._turned_away if not any(one[1] is hope for hope in self._hopes)]

    def _tell(self, error: ProviderError | UnsupportedError, following: PlannedTarget) -> None:
        self._events.emit(
            "fallback.taken",
            lambda: {
                "call_id": self._call.id,
                "target": self._planned.name,
                "kind": error.kind,
                "next_target": following.name,
            },
        )


def final_error(call: Call) -> Exception:
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
