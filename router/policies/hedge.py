"""The layer that starts the next target when the first one says nothing.

Once a target has said nothing for so long, the next one of the call is asked as well. Whichever begins to
answer first gives the answer; the other run is called off, its connection closed and its line written. Each
call is hedged once at the most, and only with a target that

- nobody has tried in this call, and whose breaker and gate let it through now,
- has room in its provider's retry budget, from which the hedge takes one,
- costs no more than the hedge's `max_cost` by estimate; one whose price is unknown is not taken for cheap;

and only while the call has an attempt left. The second run goes on to further targets as the first does:
neither tries what the other has taken. A failure of the second never fails the call. One of the first that
the route does not go on after ends the call at once, as it would without a hedge.

With `p95` the time is that within which 95 of 100 recent answers of the target began, and five times their
median at the most. Before there are 20 of them there is no hedge, and afterwards no more than one for ten
calls at the target. The time runs on the event loop's clock, as all limits of waiting do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from turnout.config.errors import TurnoutError
from turnout.config.policies import Hedge
from turnout.providers.errors import ProviderError, UnsupportedError

from ..clock import Clock
from ..errors import AllTargetsFailedError
from ..estimating import prompt_tokens
from ..events import Events
from ..foreseeing import foreseen_cost
from ..pipeline import DEADLINE, Call, Handler, Layer, Reply
from ..plans import PlannedTarget
from ..racing import Course, Race
from ..rejecting import TargetRejectedError
from .fallback import final_error


def hedge(clock: Clock, events: Events) -> Layer:
    """Ask the next target as well when the first has said nothing for a while."""
    course = Course()

    def layer(inner: Handler) -> Handler:
        async def hedged(call: Call) -> Reply:
            plan, target = call.plan, call.target
            settings = plan.hedge
            if settings is None:
                return await inner(call)
            learned = settings.after == "p95"
            after = None
            if call.ahead:
                after = delay(settings, target, whole=not call.streaming)
                if learned and target.standing is not None:
                    target.standing.hedges.calls += 1
            if after is None:
                reply = await inner(call)
            else:
                call.journal.taken = [target]
                call.recall = race = _Hedged(inner, call, settings, after, clock, events)
                try:
                    reply = await race.run(after, course)
                except (ProviderError, UnsupportedError, AllTargetsFailedError) as error:
                    if race.is_said_best_by(error):
                        raise
                    raise final_error(call) from error
                finally:
                    call.recall = None
                if race.won_by_second:
                    race.learn()
            if learned and not plan.pooled:  # a pool times all that it sends
                _learn(call, reply, clock)
            return reply

        return hedged

    return layer


def delay(settings: Hedge, planned: PlannedTarget, *, whole: bool) -> float | None:
    """Seconds of silence after which a target is hedged; None where it is not.

    `whole` is for answers that are waited for to their end, which take their own time.
    """
    after = settings.after
    if after != "p95":
        return after
    standing = planned.standing
    if standing is None:
        return None
    return standing.latency.wholes.silence if whole else standing.latency.streams.silence


def _learn(call: Call, reply: Reply, clock: Clock) -> None:
    """Take note of how long the target was silent that answered.

    Since the call began, where it was the first to be tried: while it waited for its turn it was silent too.
    """
    standing = reply.target.standing
    if standing is None:
        return
    journal = call.journal
    began = journal.began_at if journal.begun == 1 else reply.began_at
    if call.streaming:
        if reply.first_token_at is not None:
            standing.latency.streams.add(reply.first_token_at - began)
    elif reply.end == "completed":
        standing.latency.wholes.add(clock.monotonic() - began)


class _Hedged(Race[Reply]):
    """One call that may be hedged."""

    __slots__ = ("_after", "_call", "_clock", "_events", "_inner", "_settings", "_watched")

    def __init__(
        self, inner: Handler, call: Call, settings: Hedge, after: float, clock: Clock, events: Events
    ) -> None:
        self._inner = inner
        self._call = call
        self._settings = settings
        self._after = after
        self._clock = clock
        self._events = events
        self._watched = call.target  # whose silence is waited for

    def is_said_best_by(self, error: ProviderError | UnsupportedError | AllTargetsFailedError) -> bool:
        """Whether the first run's own error says why the call failed: no second target was really tried."""
        return self.failure is None or isinstance(self.failure, TargetRejectedError) or self._is_last(error)

    def learn(self) -> None:
        """Take note of how long the target was silent that lost to its hedge.

        It counts as if it had begun just then. Were it left out, the time would be that of the quick answers
        alone and sink without end; were it counted in full, enough stalls would lift it to their own length.
        """
        standing = self._watched.standing
        if standing is not None:
            latency = standing.latency
            (latency.streams if self._call.streaming else latency.wholes).add(self._after)

    def first(self) -> Awaitable[Reply]:
        """The call as it would be without a hedge."""
        return self._inner(self._call)

    def due(self) -> Callable[[], Awaitable[Reply]] | float | None:
        """The second run; where another target is waited for than when the alarm was set, its time."""
        call = self._call
        watched = _taken(call)[-1]
        if watched is self._watched:
            following = self._following()
            return None if following is None else lambda: self._beside_it(following)
        if watched not in call.ahead:
            return None  # the call took a branch, which the targets behind the first are not for
        after = delay(self._settings, watched, whole=not call.streaming)
        if after is not None:
            self._watched, self._after = watched, after
        return after

    def ends(self, error: Exception) -> bool:
        """Whether the route does not go on after this failure, with or without a hedge.

        Without one, a target behind that which was hedged would not have been tried before the hedge's.
        """
        if not self._is_last(error):
            return False
        if isinstance(error, ProviderError) and error.code == DEADLINE:
            return True
        if isinstance(error, ProviderError | UnsupportedError):
            return f"{error.provider}/{error.model}" == self._watched.name
        return True

    def _is_last(self, error: Exception) -> bool:
        if isinstance(error, AllTargetsFailedError | TargetRejectedError):
            return False
        if isinstance(error, ProviderError | UnsupportedError):
            code = error.code if isinstance(error, ProviderError) else None
            return code == DEADLINE or error.kind not in self._call.plan.fallback_on
        return True

    def forgives(self, error: Exception) -> bool:
        """Whether a failure is a provider's or the request's, and not a fault of the program."""
        return isinstance(error, TurnoutError)

    async def leave(self, value: Reply) -> None:
        """Leave an answer that came second."""
        await value.aclose()

    def _beside_it(self, following: PlannedTarget) -> Awaitable[Reply]:
        """The second run, aimed at its first target."""
        call = self._call
        watched, after = self._watched, self._after
        self._events.emit(
            "hedge.started",
            lambda: {
                "call_id": call.id, "target": watched.name, "wait": after, "next_target": following.name,
            },
        )  # fmt: skip
        taken = _taken(call)
        taken.append(following)
        later = sum(planned not in taken for planned in call.ahead)
        return self._inner(call.aimed(following, later, beside=True))

    def _following(self) -> PlannedTarget | None:
        """The target to hedge with, its attempt taken from the budgets; None where there is none."""
        call, now = self._call, self._clock.monotonic()
        if call.attempts_left < 1 or now >= call.ends_at:
            return None
        learned = self._settings.after == "p95"
        share = None if self._watched.standing is None or not learned else self._watched.standing.hedges
        if share is not None and not share.has_one():
            return None
        taken = _taken(call)
        for planned in call.ahead:
            if planned not in taken and self._is_open(planned, now) and self._affords(planned, now):
                if share is not None:
                    share.take()
                return planned
        return None

    def _is_open(self, planned: PlannedTarget, now: float) -> bool:
        return planned.standing is None or planned.standing.waits(now) <= 0

    def _affords(self, planned: PlannedTarget, now: float) -> bool:
        """Whether a hedge with this target is cheap enough, and its provider's budget has room for it."""
        most = self._settings.max_cost
        if most is not None:
            request = self._call.request
            cost = foreseen_cost(planned, request, prompt_tokens(request))
            if cost is None or cost > most:
                return False
        budget = None if planned.standing is None else planned.standing.retry_budget
        return budget is None or budget.take(now)


def _taken(call: Call) -> list[PlannedTarget]:
    """The targets that the runs of a hedged call have taken."""
    taken = call.journal.taken
    assert taken is not None  # noqa: S101 - the layer has made it
    return taken
