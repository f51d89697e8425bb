"""The layer that keeps to what a provider allows in a minute and at a time.

An attempt takes its turn, where only so many may run at a time, and then reserves one request and about as
many tokens as it will take: its prompt by the calibrated estimate, and the answer's own limit or what answers
of that target usually have. Where there is no room it waits in line, as long as `max_wait`, the call's
deadline and the attempt's share of it allow; where that is certain not to do, it does not wait at all. Then a
TargetRejectedError sends the call to its next target.

What was reserved is settled when the answer has ended: with what the provider counted, else with what came.
Where nothing was sent, it is released. Turn and reservation end exactly once, however the attempt does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import anyio

from turnout.providers.chat import Usage
from turnout.providers.errors import ProviderError, UnsupportedError
from turnout.providers.transport import NEVER_CONNECTED, NEVER_SENT

from ..clock import Clock
from ..estimating import answer_limit, prompt_tokens, usage_of
from ..fitting import was_skipped
from ..health.limiter import Limiter, Reservation
from ..health.turns import Turns
from ..pipeline import Call, Handler, Layer, Reply
from ..recalling import waiting
from ..rejecting import TargetRejectedError
from .account import Books

_SHORTEST = 0.001  # seconds of a pause; a shorter one may be none at all to a clock
_MAY_BILL = ("content_policy", "timeout")  # refusals that come after the prompt was read


def limits(books: Books) -> Layer:
    """Let attempts pass as fast as their target allows; TargetRejectedError where that is too slow."""
    clock = books.clock

    def layer(inner: Handler) -> Handler:
        async def limited(call: Call) -> Reply:
            standing = call.target.standing
            if standing is None:
                return await inner(call)
            limiter, turns = standing.limiter, standing.turns
            if limiter is None and turns is None:
                return await inner(call)
            held = _Held(call, limiter, clock)
            if turns is not None and turns.at_once():
                held.turns = turns
            if held.turns is not turns or not held.take_at_once(clock.monotonic()):
                await _wait(books, held, turns)
            sent = call.journal.sent
            try:
                reply = await inner(call)
            except (ProviderError, UnsupportedError) as error:
                held.failed(error, sent=call.journal.sent != sent)
                raise
            except BaseException:
                held.given_up(sent=call.journal.sent != sent)
                raise
            usage = reply.usage
            if reply.end == "completed" and usage is not None:
                held.used(usage, reply.headers)
                return reply
            held.begun(reply.headers)
            if reply.end is None:
                reply.when_ended(held.ended)
            else:
                held.ended(reply)
            return reply

        return limited

    return layer


class _Held(Reservation):
    """What one attempt holds of its target's limits."""

    __slots__ = ("call", "clock", "estimated", "turns")

    def __init__(self, call: Call, limiter: Limiter | None, clock: Clock) -> None:
        self.call = call
        self.clock = clock
        self.turns: Turns | None = None  # of which it has taken one
        self.estimated = estimated = prompt = answer = 0
        if limiter is not None and limiter.counts_tokens:
            request, planned = call.request, call.target
            self.estimated = estimated = prompt_tokens(request)
            prompt = planned.calibration.prompt(estimated)
            most = answer_limit(request, planned.target.overrides)
            answer = planned.calibration.answer if most is None else most
        Reservation.__init__(self, limiter, prompt, answer)

    def used(self, usage: Usage, headers: Mapping[str, str]) -> None:
        """An answer is there as a whole, and took so much."""
        clock = self.clock
        prompt, answer = usage.prompt_tokens, usage.completion_tokens
        self.answered(clock.monotonic(), headers, clock.now, prompt, answer)
        if self.estimated:
            self.call.target.calibration.learn(self.estimated, prompt, answer)
        self._over()

    def begun(self, headers: Mapping[str, str]) -> None:
        """An answer has begun."""
        self.heard(self.clock.monotonic(), headers, self.clock.now)

    def ended(self, reply: Reply) -> None:
        """An answer that had begun is at its end."""
        usage, error = reply.usage, reply.error
        if error is not None:
            self._note_refusal(error)
        if self.limiter is None:
            self._over()
        elif usage is not None:
            prompt, answer = usage.prompt_tokens, usage.completion_tokens
            if reply.end == "completed" and self.estimated:
                self.call.target.calibration.learn(self.estimated, prompt, answer)
            self._settle(prompt, answer)
        elif reply.end == "completed":
            self._settle(None, None)
        else:
            come = usage_of(self.call.request, reply.response)
            self._settle(None, come.completion_tokens)

    def failed(self, error: ProviderError | UnsupportedError, *, sent: bool) -> None:
        """The attempt failed before an answer began."""
        if not sent or isinstance(error, UnsupportedError) or _is_unsent(error):
            self.leave()
            return
        self._note_refusal(error)
        usage = error.usage
        if usage is not None:
            self._settle(usage.prompt_tokens, usage.completion_tokens)
        elif error.status is not None and 400 <= error.status < 500 and error.kind not in _MAY_BILL:
            self._settle(0, 0)
        else:
            self._settle(None, None)

    def given_up(self, *, sent: bool) -> None:
        """The attempt was left before an answer began."""
        if sent:
            self._settle(None, None)
        else:
            self.leave()

    def leave(self) -> None:
        """Nothing was sent."""
        self.release(self.clock.monotonic())
        self._over()

    def _settle(self, prompt: int | None, answer: int | None) -> None:
        self.settle(self.clock.monotonic(), prompt, answer)
        self._over()

    def _over(self) -> None:
        turns, self.turns = self.turns, None
        if turns is not None:
            turns.over()

    def _note_refusal(self, error: ProviderError) -> None:
        if self.limiter is not None and error.kind == "rate_limit":
            self.limiter.refused(self.clock.monotonic(), error.retry_after)


def _is_unsent(error: ProviderError) -> bool:
    """Whether an error is known to have come before the provider had anything to count."""
    return error.code in (NEVER_SENT, NEVER_CONNECTED) or was_skipped(error)


async def _wait(books: Books, held: _Held, turns: Turns | None) -> None:
    """Wait for turn and allowance; TargetRejectedError where that takes too long."""
    began = held.clock.monotonic()
    patience = _patience(held.call, began)
    try:
        if held.soonest(began) <= patience:
            with waiting(held.call.recall), anyio.move_on_after(patience):
                if turns is not None and held.turns is None:
                    await turns.take()
                    held.turns = turns
                if held.limiter is None or await _in_line(held, held.limiter, began + patience):
                    return
    except BaseException:
        held.leave()
        raise
    has_turn = turns is None or held.turns is not None
    held.leave()
    _turn_away(books, held, has_turn=has_turn)


async def _in_line(held: _Held, limiter: Limiter, until: float) -> bool:
    """Reserve once it is this attempt's turn and there is room; False where that is too late for certain."""
    clock = held.clock
    place = limiter.line.join()
    try:
        await place.first()
        while True:
            now = clock.monotonic()
            wait = held.take(now)
            if not wait:
                return True
            if now >= until or now + held.soonest(now) > until:
                return False
            await place.pause(max(min(wait, until - now), _SHORTEST), clock)
    finally:
        place.leave()


def _patience(call: Call, now: float) -> float:
    """The most seconds that an attempt may wait: its share of the deadline, as for the attempt itself."""
    left = max(call.ends_at - now, 0.0)
    if call.later:
        left *= 2 / (min(call.later, call.attempts_left) + 2)
    standing = call.target.standing
    if standing is None or call.forced:  # there is nowhere else to go
        return left
    turns, limiter = standing.turns, standing.limiter
    most = turns.max_wait if turns is not None else limiter.settings.max_wait if limiter is not None else None
    return left if most is None else min(most, left)


def _turn_away(books: Books, held: _Held, *, has_turn: bool) -> NoReturn:
    wait = held.soonest(held.clock.monotonic()) or None
    if has_turn:
        why = "all that may be asked of it in a minute is asked"
    else:
        why = "as many attempts are under way as it may have at a time"
    room = "" if wait is None else f", and there is no room for another {wait:.3g} s"
    error = TargetRejectedError(f"{why}{room}; nothing was sent.", kind="rate_limit", retry_after=wait)
    books.rejected(held.call, error)
    raise error
