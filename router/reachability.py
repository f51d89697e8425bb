"""Targets that stand in a route and that no call can reach, or not with time enough to answer.

A chain that names a fallback and never takes it is worse than one without: somebody counts on it. Whether it
is taken depends on what the route allows: attempts, kinds of error, and time. The time is counted for the
worst case, in which every target before has used all that it may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .planning import Plan, PlannedTarget
from .timeouts import share_of

LEAST = 0.1
"""Seconds that a target needs to be of any use: less is not even enough for a connection over a continent."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A target that no call of its route gets to."""

    route: str
    target: str
    """`provider/model`."""
    why: str
    """What keeps calls away from it, and what to change."""

    def __str__(self) -> str:
        return f"route {self.route}: {self.target} can never be reached: {self.why}"


def unreachable(plan: Plan) -> Iterator[Unreachable]:
    """The targets of a plan that are there in vain."""
    for planned in plan.targets:
        order = plan.foremost(planned)
        place, left = order.index(planned), plan.deadline
        for before, one in enumerate(order[:place]):
            left -= _most(one, left, len(order) - 1 - before)
        why = _why(plan, place, left)
        if why is not None:
            yield Unreachable(plan.route, planned.name, why)


def _why(plan: Plan, place: int, left: float) -> str | None:
    if place >= plan.max_attempts:
        return f"max_attempts is {plan.max_attempts}, and {place} targets stand before it; raise it"
    if place and not plan.fallback_on:
        return "fallback_on is empty, so no error leads on; name kinds of error there"
    if left < LEAST:
        return (
            f"the targets before it may use up all but {max(left, 0):.2g} s of the deadline of "
            f"{plan.deadline:g} s; shorten their timeouts or raise the deadline"
        )
    return None


def _most(planned: PlannedTarget, left: float, later: int) -> float:
    """The most seconds that a target's tries can take of what is left of the deadline."""
    timeouts = planned.target.timeouts
    once = min(timeouts.first_token, timeouts.attempt or timeouts.first_token)
    taken = 0.0
    for _ in range(planned.retry.attempts):
        share = share_of(left - taken, later)
        taken += min(once, share)
        if share <= once:
            break  # such a timeout is not tried again
    return taken
