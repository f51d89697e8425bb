"""The layer that leaves failing targets alone, and those that asked for it.

An attempt passes the target's gate first, then its breaker; where either is closed to it, a
TargetRejectedError says in how many seconds that will change. A call's last hope waits for a gate that opens
before the deadline, and passes the breaker in any case.

How an attempt ended is told to both, exactly once:

- a kind of error that the breaker's `on` names counts against the target, an answer counts for it, be it
  a refusal: a server that says no is there;
- nothing is counted where nothing was sent, where the caller left, or where the call's deadline came: after
  the answer had begun, or before the attempt had had a quarter of the call's time;
- a rate limit closes the gate, until when the server says, otherwise for a while that grows from time to
  time; and so does an overloaded target that says how long to wait.
"""

from __future__ import annotations

from random import Random
from typing import Literal

from turnout.config.sections import Kind
from turnout.providers.errors import ProviderError

from ..clock import Clock
from ..health.breaker import Breaker, Permit
from ..health.standing import Standing
from ..pipeline import DEADLINE, Call, Handler, Layer, Reply
from ..recalling import waiting
from ..rejecting import TargetRejectedError
from .account import Books

_Word = Literal["began", "succeeded", "failed", "released"]

_SILENCE = frozenset({"connection", "timeout", "interrupted"})
"""Kinds that are no answer, unless they have a status."""
_FAIR_SHARE = 0.25  # of the call's time; a target that was given less is not blamed for the deadline


def breaker(books: Books, random: Random) -> Layer:
    """Let attempts pass where gate and breaker of the target allow it; TargetRejectedError otherwise."""
    clock = books.clock

    def layer(inner: Handler) -> Handler:
        async def guarded(call: Call) -> Reply:
            standing = call.target.standing
            if standing is None:
                return await inner(call)
            began = clock.monotonic()
            if standing.gate.opens_at > began:
                began = await _pass_gate(books, call, standing, began)
            permit = None
            if standing.breaker is not None:
                permit = standing.breaker.admit(began, random, forced=call.forced)
                if permit is None:
                    raise _turned_away(books, call, standing.breaker, began)
            sent = call.journal.sent
            try:
                reply = await inner(call)
            except ProviderError as error:
                if isinstance(error, TargetRejectedError) or call.journal.sent == sent:
                    _release(permit, clock)
                else:
                    _Verdict(books, call, standing, permit, began).failed(error)
                raise
            except BaseException:
                _release(permit, clock)
                raise
            if reply.end == "completed" and (permit is None or not permit.tries):
                if permit is not None:
                    permit.succeeded(clock.monotonic())
                if standing.gate.strikes:
                    standing.gate.answered(began)
                return reply
            verdict = _Verdict(books, call, standing, permit, began)
            if reply.end is None:
                verdict.begun()
                reply.when_ended(verdict.ended)
            else:
                verdict.ended(reply)
            return reply

        return guarded

    return layer


def _release(permit: Permit | None, clock: Clock) -> None:
    if permit is not None:
        permit.released(clock.monotonic())


async def _pass_gate(books: Books, call: Call, standing: Standing, now: float) -> float:
    """Go through a closed gate, which only a last hope may; the time at which it is behind."""
    gate, clock = standing.gate, books.clock
    if not call.forced:
        wait = gate.opens_at - now
        asked = f"it asked to be left alone for another {wait:.3g} s; nothing was sent."
        raise _rejected(books, call, TargetRejectedError(asked, kind=gate.kind, retry_after=wait))
    while now < gate.opens_at < call.ends_at:
        with waiting(call.recall):
            await clock.sleep(gate.opens_at - now)
        now = clock.monotonic()
    return now


def _turned_away(books: Books, call: Call, breaker: Breaker, now: float) -> TargetRejectedError:
    wait = breaker.waits(now)
    match breaker.state(now):
        case "open":
            why = f"it kept failing and is left alone for another {wait:.3g} s"
        case "half-open":
            why = "it kept failing, and one attempt is finding out whether it is there again"
        case "closed":
            why = "it has just recovered, and its traffic grows back little by little"
    error = TargetRejectedError(f"{why}; nothing was sent.", kind="overloaded", retry_after=wait)
    return _rejected(books, call, error)


def _rejected(books: Books, call: Call, error: TargetRejectedError) -> TargetRejectedError:
    books.rejected(call, error)
    return error


class _Verdict:
    """What one attempt that was sent says of its target."""

    __slots__ = ("_began", "_books", "_call", "_has_begun", "_permit", "_standing")

    def __init__(
        self, books: Books, call: Call, standing: Standing, permit: Permit | None, began: float
    ) -> None:
        self._books = books
        self._call = call
        self._standing = standing
        self._permit = permit
        self._began = began
        self._has_begun = False

    def begun(self) -> None:
        """The answer has begun, and goes on."""
        self._has_begun = True
        if self._permit is not None and self._permit.tries:
            self._tell(self._permit, "began")

    def ended(self, reply: Reply) -> None:
        """An answer that had begun is at its end."""
        if reply.error is not None:
            self.failed(reply.error)
        elif reply.end == "completed":
            self._standing.gate.answered(self._began)
            if self._permit is not None:
                self._tell(self._permit, "succeeded")
        else:
            _release(self._permit, self._books.clock)

    def failed(self, error: ProviderError) -> None:
        """The attempt failed."""
        limited = error.kind == "rate_limit"
        if limited or (error.kind == "overloaded" and error.retry_after is not None):
            now = self._books.clock.monotonic()
            gate = self._standing.gate
            gate.limited(now, began=self._began, retry_after=error.retry_after, kind=error.kind)
        permit = self._permit
        if permit is None:
            return
        if error.code == DEADLINE and not self._had_time():
            self._tell(permit, "released")
        elif error.kind in permit.breaker.on:
            self._tell(permit, "failed", error.kind)
        elif error.kind in _SILENCE and error.status is None:
            self._tell(permit, "released")
        else:
            self._tell(permit, "succeeded")

    def _had_time(self) -> bool:
        """Whether a target that had not answered by the deadline is to blame for that."""
        call, now = self._call, self._books.clock.monotonic()
        return not self._has_begun and now - self._began >= call.deadline * _FAIR_SHARE

    def _tell(self, permit: Permit, verdict: _Word, kind: Kind | None = None) -> None:
        """Tell the breaker, and everybody else where it opened or closed by that."""
        books, call, breaker = self._books, self._call, permit.breaker
        now = books.clock.monotonic()
        before = breaker.openings, breaker.recoveries
        getattr(permit, verdict)(now)
        facts = {"call_id": call.id, "target": call.target.name}
        if breaker.openings != before[0]:
            books.events.emit("breaker.opened", lambda: {**facts, "kind": kind, "wait": breaker.waits(now)})
        elif breaker.recoveries != before[1]:
            books.events.emit("breaker.closed", lambda: facts)
