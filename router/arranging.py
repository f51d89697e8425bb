"""The order in which one call tries its targets, where its route has pools.

Each pool's strategy is asked for the order of its members; the members that have to wait, since a breaker is
open or a gate closed, go behind the others, whoever recovers soonest first. A strategy is asked for each of
the two groups by itself, so that shares and turns are those of the members that can take a call now.

A chain or route that is a member is as busy as all its targets together, and as fast and as dear as its
first one; it has to wait only while all of them have to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from operator import index
from random import Random
from typing import Any

from turnout.providers.chat import ChatCompletion, TextPart

from .clock import Clock
from .errors import BudgetExceededError, FunctionError
from .estimating import prompt_tokens
from .events import Events
from .foreseeing import foreseen_cost
from .plans import Member, Plan, PlannedTarget, Pool, Step
from .strategies import Candidate, Named, Snapshot
from .strategies.snapshot import EXPECTED_TOKENS

_PREFIX = 4096  # characters of each leading message that tell conversations apart


class Arranger:
    """Puts the targets of calls in order."""

    def __init__(self, clock: Clock, random: Random, events: Events) -> None:
        self._clock = clock
        self._random = random
        self._events = events

    def order(
        self,
        plan: Plan,
        request: ChatCompletion,
        *,
        streaming: bool,
        call_id: str,
        tags: Mapping[str, str] | None,
        told: bool,
    ) -> tuple[PlannedTarget, ...]:
        """The targets of a pooled plan, each once, for one call; `told` says whether events are listened to.

        BudgetExceededError where every one of them costs more than it may; FunctionError where a strategy of
        the user's own fails, gives no order, or leaves nobody.
        """
        asking = _Asking(request, streaming, tags, self._clock.monotonic(), self._random, told)
        order: list[PlannedTarget] = []
        _walk(plan.steps, asking, order)
        if asking.told:
            for facts in asking.told:
                facts |= {"call_id": call_id, "route": plan.route}
                self._events.emit("pool.ordered", partial(dict, facts))
        if not order:
            raise _nobody(plan)
        return tuple(dict.fromkeys(order))


class _Asking:
    """One call, and what is worked out for it where a strategy reads it."""

    __slots__ = ("_prompt_tokens", "now", "random", "request", "streaming", "tags", "tokens", "told")

    def __init__(
        self,
        request: ChatCompletion,
        streaming: bool,
        tags: Mapping[str, str] | None,
        now: float,
        random: Random,
        told: bool,
    ) -> None:
        self.request = request
        self.tags = tags
        self.now = now
        self.random = random
        self.streaming = streaming
        self.tokens = min(request.max_output_tokens or EXPECTED_TOKENS, EXPECTED_TOKENS)
        self.told: list[dict[str, Any]] | None = [] if told else None
        """What was decided, and by what; None where nobody wants to know."""
        self._prompt_tokens: int | None = None

    def cost(self, planned: PlannedTarget) -> Decimal | None:
        """US dollars of this call at a target, by estimate; None where its price is unknown."""
        if self._prompt_tokens is None:
            self._prompt_tokens = prompt_tokens(self.request)
        return foreseen_cost(planned, self.request, self._prompt_tokens)

    def key(self, by: str) -> str | None:
        """A digest of what a sticky pool holds on to."""
        text = _held(self.request, by, self.tags or {})
        if not text:
            return None
        return blake2b(f"{by}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _walk(steps: Iterable[Step], asking: _Asking, order: list[PlannedTarget]) -> None:
    for step in steps:
        if isinstance(step, Pool):
            members = step.members
            for place in _places(step, asking):
                member = members[place]
                if member.has_pools:
                    _walk(member.steps, asking, order)
                else:
                    order.extend(member.leaves)
        else:
            order.append(step)


def _places(pool: Pool, asking: _Asking) -> list[int]:
    """The members that the call tries, by their places in the pool."""
    turn = next(pool.turns)
    strategy, now = pool.strategy, asking.now
    reads_speed, reads_cost = strategy.reads_speed, strategy.reads_cost
    candidates: list[Candidate] = []
    waiting: list[int] = []
    for place, member in enumerate(pool.members):
        standing = member.standing
        if standing is not None:
            wait, in_flight = standing.waits(now), standing.in_flight.count
        else:
            standing = member.leaves[0].standing
            wait, in_flight = _wait(member, now), sum(each.in_flight.count for each in member.standings)
        first_token = per_token = None
        if reads_speed and standing is not None:
            if asking.streaming:
                first_token, per_token = standing.latency.first_token(now), standing.latency.per_token(now)
            else:
                first_token = standing.latency.whole(now)
        cost = asking.cost(member.leaves[0]) if reads_cost else None
        candidates.append(
            Candidate(member.name, member.weight, in_flight, first_token, per_token, cost, wait)
        )
        if wait > 0.0:
            waiting.append(place)
    key = asking.key(pool.by) if strategy.reads_key else None
    whole = Snapshot(tuple(candidates), turn, key, asking.tokens, pool.max_price)
    if not waiting:
        return list(_decided(strategy, whole, asking))
    places = _among(
        strategy, whole, [place for place in range(len(candidates)) if place not in waiting], asking
    )
    behind = _among(strategy, whole, waiting, asking)
    return places + sorted(behind, key=lambda place: candidates[place].wait)


def _wait(member: Member, now: float) -> float:
    """Seconds until one of the member's targets may be tried."""
    return min((standing.waits(now) for standing in member.standings), default=0.0)


def _among(strategy: Named, whole: Snapshot, places: list[int], asking: _Asking) -> list[int]:
    """Some of the members in the order that the strategy gives them by themselves."""
    if not places:
        return places
    some = whole._replace(candidates=tuple(whole.candidates[place] for place in places))
    return [places[at] for at in _decided(strategy, some, asking)]


def _decided(strategy: Named, snapshot: Snapshot, asking: _Asking) -> Sequence[int]:
    """What a strategy says, written down where somebody wants to know."""
    if asking.told is None:
        return _asked(strategy, snapshot, asking.random)
    seed = asking.random.getrandbits(32)
    order = _asked(strategy, snapshot, Random(seed))
    asking.told.append(
        {"strategy": strategy.name, "snapshot": snapshot.told(), "seed": seed, "order": list(order)}
    )
    return order


def _asked(strategy: Named, snapshot: Snapshot, random: Random) -> Sequence[int]:
    """What a strategy says; FunctionError where one of the user's own says nothing that could be done."""
    if ":" not in strategy.name:
        return strategy.decide(snapshot, random)
    try:
        given = strategy.decide(snapshot, random)
    except Exception as error:
        raise FunctionError(f"the strategy {strategy.name} failed with {type(error).__name__}.") from error
    try:
        found = list(map(index, given))
    except TypeError:
        found = [-1]
    there = range(len(snapshot.candidates))
    if len(set(found)) != len(found) or not all(place in there for place in found):
        raise FunctionError(
            f"the strategy {strategy.name} gave no order of its {len(there)} candidates; "
            "return their places in the snapshot, each at most once"
        )
    return found


def _held(request: ChatCompletion, by: str, tags: Mapping[str, str]) -> str | None:
    """What a call is told by: who asks, in which conversation, or how the prompt begins."""
    if by == "user":
        return request.safety_identifier or request.user
    if by == "session":
        said = request.metadata or {}
        told = (tags.get("session"), said.get("session"), said.get("session_id"), request.prompt_cache_key)
        return next(filter(None, told), None)
    return "\0".join(_beginning(request))


def _beginning(request: ChatCompletion) -> list[str]:
    """The messages up to the first of a user, which all turns of a conversation share."""
    texts = []
    for message in request.messages:
        content = message.content
        if not isinstance(content, str):
            content = "".join(part.text if isinstance(part, TextPart) else "\1" for part in content or ())
        texts.append(content[:_PREFIX])
        if message.role == "user":
            break
    return texts


def _nobody(plan: Plan) -> BudgetExceededError | FunctionError:
    """Why nothing is left of a plan."""
    pools = list(_pools(plan.steps))
    if any(pool.max_price is not None for pool in pools):
        return BudgetExceededError(
            f"every target of route {plan.route!r} would cost more than its max_price by estimate; "
            "raise it, lower max_tokens, or let the route end with a target outside the pool"
        )
    names = ", ".join(dict.fromkeys(pool.strategy.name for pool in pools))
    return FunctionError(f"the strategy {names} left no target of route {plan.route!r} to be tried")


def _pools(steps: Iterable[Step]) -> Iterable[Pool]:
    for step in steps:
        if isinstance(step, Pool):
            yield step
            for member in step.members:
                yield from _pools(member.steps)
