"""The layer that goes on after a stream has broken behind the commit point, where `on_interrupt` says so.

Until then a stream has one provider's answer, and nobody above it could begin again unseen. Afterwards this
layer holds the reply, asks the targets behind the one that broke off, and hands on what they say:

- `restart`: the same request; a chunk with `reset` tells the caller that what came before is void;
- `continue`: a request that ends with what has come, for those targets that go on with it. Where nothing but
  thoughts have come, any target will do, and what it says follows. Half a call, a refusal, sound or JSON
  cannot be gone on with.

What was complete but for its end needs nobody to go on. Where nobody does, the interruption is raised as if
the layer were not there. All layers inside stand around the later attempts as around the first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from turnout.config.errors import TurnoutError
from turnout.providers.chat import ChatChunk, ChatResponse, Cost, Usage
from turnout.providers.dialect import Adaptation
from turnout.providers.dialects.prefilling import CONTINUES
from turnout.providers.errors import ProviderError, StreamInterruptedError
from turnout.providers.folding import Fold
from turnout.providers.unfolding import unfold

from ..accounting import Attempt, Trace, total_usage
from ..clock import Clock
from ..estimating import usage_of
from ..events import Events
from ..pipeline import DEADLINE, Call, End, Handler, Layer, Reply, tell_all
from ..plans import PlannedTarget
from ..resuming import (
    Joint,
    behind,
    continuing,
    echoes,
    given_text,
    goes_on,
    is_plain,
    is_whole,
)
from ..timeouts import CLOSED


def resume(clock: Clock, events: Events) -> Layer:
    """Go on at the next targets with a stream that has broken."""

    def layer(inner: Handler) -> Handler:
        async def resuming(call: Call) -> Reply:
            reply = await inner(call)
            return ResumingReply(call, reply, inner, clock, events) if reply.end is None else reply

        # an answer that is given whole can be begun anew by those inside, so it need not pass here
        return lambda call: resuming(call) if call.streaming else inner(call)

    return layer


@dataclasses.dataclass(slots=True)
class _Following:
    """How an answer is to go on."""

    call: Call
    joint: Joint | None
    """What joins the answers; None where the next one begins anew."""


class ResumingReply:
    """An answer that may be that of several attempts, one after another. See `pipeline.Reply`."""

    __slots__ = (
        "_before", "_broken", "_call", "_clock", "_current", "_events", "_fold", "_inner", "_joint",
        "_listeners", "_next", "_reply", "_spent", "adaptations", "attempt", "end", "error",
        "first_token_at", "headers", "target", "usage",
    )  # fmt: skip

    def __init__(self, call: Call, reply: Reply, inner: Handler, clock: Clock, events: Events) -> None:
        self.target: PlannedTarget = reply.target
        self.adaptations: tuple[Adaptation, ...] = reply.adaptations
        self.first_token_at = reply.first_token_at
        self.usage: Usage | None = None
        self.end: End | None = None
        self.error: ProviderError | None = None
        self.attempt: Attempt | None = None
        self.headers: Mapping[str, str] = reply.headers
        self._call = call
        self._current = call  # what the attempts of `_reply` were made for
        self._reply = reply
        self._inner = inner
        self._clock = clock
        self._events = events
        self._broken: ProviderError | None = None  # how the reply ended, until somebody goes on
        self._next: ChatChunk | None = None  # to be shown before anything else
        self._joint: Joint | None = None
        self._fold: Fold | None = None  # of an answer that has been gone on with
        self._before: list[Attempt] = []  # those that the answer is made of, without the last
        self._spent: list[Usage] = []  # what they took
        self._listeners: list[Callable[[Reply], None]] = []

    @property
    def began_at(self) -> float:
        """When the attempt began that goes on."""
        return self._reply.began_at

    @property
    def response(self) -> ChatResponse:
        """What has come until now, of all attempts that the answer is made of."""
        if self._fold is None:
            return self._reply.response
        joined = self._fold.response()
        joined.model = self._reply.response.model or joined.model
        return joined

    def at_hand(self) -> ChatChunk | None:
        """The next chunk, if it has come already."""
        if self._next is not None:
            first, self._next = self._next, None
            return first
        while self._broken is None:
            try:
                chunk = self._reply.at_hand()
            except ProviderError as error:
                self._broken = error
                break
            if chunk is None or self._joint is None:
                return chunk
            joined = self._joined(self._joint, chunk)
            if joined is not None:
                return joined
        return None

    async def receive(self) -> ChatChunk | None:
        """The next chunk; None at the proper end, StreamInterruptedError where nobody goes on."""
        while self.end is None:
            chunk = self.at_hand()
            if chunk is None and self._broken is None:
                chunk = await self._received()
            if chunk is not None:
                return chunk
            if self._broken is not None:
                await self._go_on(self._broken)
        return None

    def when_ended(self, listener: Callable[[Reply], None]) -> None:
        """Have `listener` called at the end."""
        self._listeners.append(listener)

    async def aclose(self) -> None:
        """Leave the answer, whatever state it is in."""
        try:
            await self._reply.aclose()
        finally:
            if self.end is None:
                self._conclude(self._reply.end or "cancelled", self._reply.error)

    async def _received(self) -> ChatChunk | None:
        """The next chunk, waited for; None where it says nothing new, or where the answer has ended."""
        try:
            chunk = await self._reply.receive()
        except ProviderError as error:
            self._broken = error
            return None
        joint = self._joint
        if chunk is not None:
            return chunk if joint is None else self._joined(joint, chunk)
        left = None if joint is None else joint.left()
        if left is None or self._fold is None:
            self._conclude("completed")
        else:
            self._fold.add(left)
        return left

    def _joined(self, joint: Joint, chunk: ChatChunk) -> ChatChunk | None:
        """A chunk of a later attempt, as it goes on from what came before."""
        joined = joint.take(chunk)
        if joined is not None and self._fold is not None:
            self._fold.add(joined)
        return joined

    async def _go_on(self, error: ProviderError) -> None:
        """Have another target go on after an interruption; raise it where none does."""
        partial = self.response
        if is_whole(partial):
            self._broken = None
            self._conclude("completed")
            return
        following = self._following(error, partial)
        if following is None:
            raise self._ended(error)
        await self._reply.aclose()
        while True:
            self._tell(error, following.call)
            following.call.journal.taken = None  # nobody else of this call is under way
            try:
                reply = await self._inner(following.call)
            except TurnoutError as failure:
                rest = self._after_refusal(following, failure)
                if rest is None:
                    raise self._ended(error) from failure
                following = rest
            else:
                self._adopt(reply, following, partial)
                return

    def _after_refusal(self, refused: _Following, failure: TurnoutError) -> _Following | None:
        """How to go on where a host refuses a request that ends with the answer's beginning; or not at all.

        No route goes on after a request that is wrong, but this one is of the router's own making.
        """
        call = refused.call
        if CONTINUES not in (call.request.model_extra or ()):
            return None
        if not isinstance(failure, ProviderError) or failure.kind != "invalid_request":
            return None
        line = (call.target, *call.ahead)
        tried = {attempt.target for attempt in call.journal.attempts}
        rest = [planned for planned in line if planned.name not in tried]
        if not rest or call.attempts_left < 1 or self._clock.monotonic() >= call.ends_at:
            return None
        return _Following(_aimed(call, rest), refused.joint)

    def _following(self, error: ProviderError, partial: ChatResponse) -> _Following | None:
        """How the answer can go on; None where it cannot."""
        call = self._call
        if error.code in (DEADLINE, CLOSED) or self._clock.monotonic() >= call.ends_at:
            return None
        current = self._current
        ahead = behind((current.target, *current.ahead), self.target)
        ahead = (*ahead, *_passed_by(call, ahead))
        if not ahead or call.attempts_left < 1:
            return None
        if call.plan.on_interrupt == "restart":
            return _Following(_aimed(call, ahead), None)
        return self._continued(ahead, partial)

    def _continued(self, ahead: Sequence[PlannedTarget], partial: ChatResponse) -> _Following | None:
        call = self._call
        if not is_plain(partial):
            return None
        spent = total_usage([*self._spent, self._spent_now()])
        if not partial.text.strip():
            return _Following(_aimed(call, ahead), Joint(partial, spent))
        able = [planned for planned in ahead if goes_on(planned, call.request)]
        if not able:
            return None
        given = given_text(call.request, partial.text)
        # what a judge would see of it is half an answer
        following = _aimed(call, [dataclasses.replace(planned, judge=None, branches={}) for planned in able])
        following.request = continuing(call.request, given, spent.completion_tokens)
        echo = given if any(map(echoes, able)) else ""
        return _Following(following, Joint(partial, spent, echo=echo))

    def _spent_now(self) -> Usage:
        """What the attempt took that has just broken off: its provider's count, or an estimate."""
        reply = self._reply
        return usage_of(self._current.request, reply.response) if reply.usage is None else reply.usage

    def _adopt(self, reply: Reply, following: _Following, partial: ChatResponse) -> None:
        """Go on with a reply that has begun."""
        if following.joint is None:
            begun = reply.response
            self._next = ChatChunk(id=begun.id, created=begun.created, model=begun.model, reset=True)
        else:
            self._spent.append(self._spent_now())
            if self._reply.attempt is not None:
                self._before.append(self._reply.attempt)
            if self._fold is None:
                self._fold = _folded(partial)
        self._broken = None
        self._joint = following.joint
        self._current = following.call
        self._reply = reply
        self.target, self.adaptations, self.headers = reply.target, reply.adaptations, reply.headers

    def _ended(self, error: ProviderError) -> ProviderError:
        """The interruption that nobody could go on after, as the caller is to see it."""
        if isinstance(error, StreamInterruptedError):
            error.partial = self.response
        if self._clock.monotonic() >= self._call.ends_at:
            error.code = DEADLINE
        self._broken = None
        self._conclude("failed", error)
        return error

    def _conclude(self, end: End, error: ProviderError | None = None) -> None:
        """Take note of the end, and tell those who wait for it."""
        reply = self._reply
        self.end, self.error = end, error
        self.usage, self.attempt = reply.usage, reply.attempt
        if self._spent and reply.usage is not None:
            self.usage = total_usage([*self._spent, reply.usage])
        if self._before and reply.attempt is not None:
            cost = _cost_of((*self._before, reply.attempt))
            self.attempt = reply.attempt.model_copy(update={"cost": cost, "usage": self.usage})
        listeners, self._listeners = self._listeners, []
        tell_all(listeners, self)

    def _tell(self, error: ProviderError, following: Call) -> None:
        broken, how = self.target.name, self._call.plan.on_interrupt
        self._events.emit(
            "stream.resumed",
            lambda: {
                "call_id": following.id,
                "target": broken,
                "kind": error.kind,
                "how": how,
                "next_target": following.target.name,
            },
        )


def _passed_by(call: Call, ahead: Sequence[PlannedTarget]) -> list[PlannedTarget]:
    """The targets of a call that policies turned away and nobody has tried: a hope behind all others."""
    attempts = call.journal.attempts
    rejected = {attempt.target for attempt in attempts if attempt.outcome == "rejected"}
    rejected -= {attempt.target for attempt in attempts if attempt.sent}
    if not rejected:
        return []
    return [one for one in (call.target, *call.ahead) if one.name in rejected and one not in ahead]


def _aimed(call: Call, targets: Sequence[PlannedTarget]) -> Call:
    """The call as if these were its targets."""
    later = len(targets) - 1
    return dataclasses.replace(call, target=targets[0], ahead=tuple(targets[1:]), later=later, forced=False)


def _folded(response: ChatResponse) -> Fold:
    """What has come, for more to be added to it; its usage is counted elsewhere."""
    fold = Fold()
    for chunk in unfold(response):
        if chunk.choices:
            fold.add(chunk)
    return fold


def _cost_of(attempts: Sequence[Attempt]) -> Cost:
    """What an answer cost that several attempts made; unknown where one of them is."""
    if any(attempt.cost_unknown for attempt in attempts):
        return Cost()
    return Trace(attempts=tuple(attempts)).cost
