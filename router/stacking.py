"""The layers around the wire: a plan gets those that it uses, and no others.

Layers that few routes have are imported by the first that has them.
"""

from __future__ import annotations

from random import Random

from .pipeline import Handler, Layer, stack
from .planning import Plan
from .policies.account import Books, account
from .policies.deadline import deadline
from .policies.fallback import fallback
from .policies.observe import observe
from .policies.retry import retry

Needs = tuple[bool, ...]
"""Which of the layers that not every plan has, outermost first."""


class Stacks:
    """Makes handlers, one for each combination of layers."""

    def __init__(self, wire: Handler, books: Books, random: Random) -> None:
        self._wire = wire
        self._books = books
        self._random = random
        self._of_plan: dict[Plan, Handler] = {}
        self._made: dict[Needs, Handler] = {}

    def handler(self, plan: Plan) -> Handler:
        """The layers that a plan needs, around the wire."""
        handler = self._of_plan.get(plan)
        if handler is None:
            needed = needs(plan)
            if needed not in self._made:
                self._made[needed] = stack(self._wire, self._layers(needed))
            if len(self._of_plan) >= _MOST:
                self._of_plan.clear()
            handler = self._of_plan[plan] = self._made[needed]
        return handler

    def _layers(self, needed: Needs) -> list[Layer]:
        """The layers, innermost first."""
        resumes, hedges, falls_back, retries, measures, breaks, limited, keyed = needed
        books, clock, events = self._books, self._books.clock, self._books.events
        layers = [account(books)]
        if keyed:
            from .policies.keys import keys

            layers.append(keys(books))
        if limited:
            from .policies.limits import limits

            layers.append(limits(books))
        if breaks:
            from .policies.breaker import breaker

            layers.append(breaker(books, self._random))
        if measures:
            from .policies.measure import measure

            layers.append(measure(clock))
        if retries:
            layers.append(retry(clock, self._random, events))
        if falls_back:
            layers.append(fallback(clock, events))
        if hedges:
            from .policies.hedge import hedge

            layers.append(hedge(clock, events))
        if resumes:
            from .policies.resume import resume

            layers.append(resume(clock, events))
        return [*layers, deadline(clock), observe(clock, events)]


_MOST = 4096  # plans whose handler is kept at hand


def needs(plan: Plan) -> Needs:
    """Which layers a plan uses."""
    standings = [one.standing for one in plan.everything if one.standing is not None]
    breaks = any(one.breaker is not None for one in standings)
    limited = any(one.limiter is not None or one.turns is not None for one in standings)
    keyed = any(one.keys is not None for one in standings)
    turns_away = breaks or limited or keyed
    return (
        plan.on_interrupt != "raise",
        # where there is nobody to hedge with, a target's silence is learned for the routes that have others
        plan.hedge is not None and (len(plan.targets) > 1 or plan.hedge.after == "p95"),
        plan.falls_back or turns_away,
        # a retry budget grows with what every route sends, whether or not that one tries again
        plan.retries or any(one.retry_budget is not None for one in standings),
        bool(standings) and plan.pooled,
        turns_away,
        limited,
        keyed,
    )
