"""The layer that tries one target again, for kinds where that may help.

Nothing of tenacity is touched until a first attempt has failed. Then its stop and wait objects decide:

- the route's `retry.on` names the kinds; a refusal of what the model wrote gets one more try besides;
- `retry.attempts` bounds the tries of one target, the plan's `max_attempts` those of the call, and a retry
  never takes the attempt that a target still to come would need;
- backoff is drawn evenly between 0 and a ceiling that grows by `factor` up to `cap` (full jitter);
- a wait asked for by the server is kept to exactly, up to `max_server_wait` and half of what is left of the
  deadline; for a longer one the next target is taken at once;
- a timeout that was the attempt's share of the deadline is not repeated, nor a target that was passed by
  because the prompt cannot fit, nor one that a policy turned away;
- a target whose breaker has opened is left alone, and one whose gate is closed is waited for like a server
  that asked for it;
- every further try takes one from the provider's retry budget, if it has one: where that is empty, there is
  none. A call's first attempt at the provider, once it was sent, adds to it.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from turnout.config.policies import Retry
from turnout.providers.errors import ProviderError

from ..clock import Clock
from ..events import Events
from ..fitting import TOO_LONG
from ..health.retry_budget import RetryBudget
from ..pipeline import DEADLINE, SHARE, Call, Handler, Layer, Reply
from ..recalling import waiting
from ..rejecting import TargetRejectedError

if TYPE_CHECKING:
    from tenacity import RetryCallState


def retry(clock: Clock, random: Random, events: Events) -> Layer:
    """Try a target again after a failure that may pass."""

    def layer(inner: Handler) -> Handler:
        async def retrying(call: Call) -> Reply:
            journal = call.journal
            sent, ended = journal.sent, len(journal.attempts)
            try:
                reply = await inner(call)
            except ProviderError as error:
                budget = budget_of(call)
                if budget is not None:
                    _deposit(budget, call, sent, ended, clock)
                decision = Decision(call, clock, random)
                if not (decision.again(error, tries=1) and decision.affords()):
                    raise
                return await _try_again(inner, call, error, decision, events)
            if call.target.standing is not None:
                budget = call.target.standing.retry_budget
                if budget is not None:
                    _deposit(budget, call, sent, ended, clock)
            return reply

        return retrying

    return layer


def budget_of(call: Call) -> RetryBudget | None:
    """The retry budget of the provider that a call is aimed at."""
    standing = call.target.standing
    return None if standing is None else standing.retry_budget


def _deposit(budget: RetryBudget, call: Call, sent: int, ended: int, clock: Clock) -> None:
    """Add to the provider's budget for an attempt that was sent, if it was the call's first one there.

    `sent` and `ended` are how many attempts of the call had been sent, and had ended, before it.
    """
    if call.journal.sent == sent:
        return
    if sent:
        provider = call.target.target.provider
        earlier = [one for one in call.journal.attempts[:ended] if one.provider == provider]
        if any(one.outcome not in ("rejected", "skipped") for one in earlier):
            return
    budget.sent(clock.monotonic())


class Decision:
    """Whether and when one target is tried again, in one call."""

    def __init__(self, call: Call, clock: Clock, random: Random) -> None:
        self._call = call
        self._clock = clock
        self._random = random

    def again(self, error: ProviderError, *, tries: int) -> bool:
        """Whether another try may follow `tries` failed ones, the last with `error`."""
        settings = self._call.target.retry
        if tries >= settings.attempts or self._call.attempts_left <= self._call.later:
            return False
        if error.code in (DEADLINE, SHARE, TOO_LONG) or isinstance(error, TargetRejectedError):
            return False
        if error.kind not in settings.on and not (error.model_output and tries == 1):
            return False
        now = self._clock.monotonic()
        left = self._call.ends_at - now
        wait = max(error.retry_after or 0.0, self._closed_for(now))
        return wait <= min(settings.max_server_wait, left / 2) if wait else left > 0

    def affords(self) -> bool:
        """Whether the provider's retry budget has room for one more try, which is then taken from it."""
        budget = budget_of(self._call)
        return budget is None or budget.take(self._clock.monotonic())

    def _closed_for(self, now: float) -> float:
        """Seconds for which no try would be let through; without end where the target's breaker is open."""
        standing = self._call.target.standing
        if standing is None:
            return 0.0
        if standing.breaker is not None and standing.breaker.waits(now):
            return float("inf")
        return max(standing.gate.opens_at - now, 0.0)

    async def sleep(self, seconds: float) -> None:
        """Wait on the router's clock."""
        with waiting(self._call.recall):
            await self._clock.sleep(seconds)

    def wait(self, error: ProviderError, *, tries: int) -> float:
        """Seconds until the next try; at most half of what is left of the deadline."""
        now = self._clock.monotonic()
        closed = self._closed_for(now)
        if error.retry_after is not None:
            return max(error.retry_after, closed)
        left = max(self._call.ends_at - now, 0.0)
        backoff = self._random.uniform(0, ceiling(self._call.target.retry, error, tries))
        # everybody waits for the same gate; those whom no server gave a time do not all go at that moment
        return min(closed + backoff, left / 2)


def ceiling(settings: Retry, error: ProviderError, tries: int) -> float:
    """The longest backoff after `tries` failed tries, in seconds."""
    return _grown(settings, settings.rate_limit_base if error.kind == "rate_limit" else settings.base, tries)


def _grown(settings: Retry, base: float, tries: int) -> float:
    try:
        return min(base * settings.factor ** (tries - 1), settings.cap)
    except OverflowError:
        return settings.cap


def longest_pause(settings: Retry, tries: int) -> float:
    """The most seconds that may pass between a failed try and the next: backoff or the server's wait."""
    backoff = _grown(settings, max(settings.base, settings.rate_limit_base), tries)
    return max(settings.max_server_wait, backoff)


async def _try_again(
    inner: Handler, call: Call, error: ProviderError, decision: Decision, events: Events
) -> Reply:
    # imported here: most calls never fail, and most programs need not wait for this import
    from tenacity import AsyncRetrying

    failed: list[ProviderError] = [error]  # what tenacity counts as its first try has happened already

    async def attempt() -> Reply:
        if failed:
            raise failed.pop()
        return await inner(call)

    def is_enough(state: RetryCallState) -> bool:
        tries = state.attempt_number  # the first was decided about before any of this was needed
        return tries > 1 and not (decision.again(_error_of(state), tries=tries) and decision.affords())

    def wait(state: RetryCallState) -> float:
        return decision.wait(_error_of(state), tries=state.attempt_number)

    def tell(state: RetryCallState) -> None:
        last = _error_of(state)
        events.emit(
            "retry.waiting",
            lambda: {
                "call_id": call.id,
                "target": call.target.name,
                "kind": last.kind,
                "wait": state.next_action and state.next_action.sleep,
            },
        )

    retrying = AsyncRetrying(
        sleep=decision.sleep,
        stop=is_enough,
        wait=wait,
        retry=_is_provider_error,
        before_sleep=tell,
        reraise=True,
    )
    return await retrying(attempt)


def _is_provider_error(state: RetryCallState) -> bool:
    return state.outcome is not None and isinstance(state.outcome.exception(), ProviderError)


def _error_of(state: RetryCallState) -> ProviderError:
    error = state.outcome and state.outcome.exception()
    assert isinstance(error, ProviderError)  # noqa: S101 - tenacity asks only after _is_provider_error
    return error
