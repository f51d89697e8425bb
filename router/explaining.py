"""What a call would do, told without sending anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

from turnout.providers.chat import ChatCompletion, Usage
from turnout.providers.dialect import Adaptation
from turnout.providers.errors import ContextWindowError, UnsupportedError

from .accounting import cost_of
from .estimating import prompt_tokens
from .inlining import foreseen
from .pipeline import Call
from .planning import PlannedTarget
from .policies.retry import longest_pause
from .wire import encode


@dataclass(frozen=True, slots=True)
class Step:
    """One target of the plan."""

    target: str
    """`provider/model`."""
    why: str
    """Where in the settings it stands, or why the call would pass it by."""
    skipped: bool
    """Whether the target cannot take this request, so that nothing would be sent."""
    attempts: int
    """The most times it would be tried."""
    url: str | None
    """Where the request would go, without its query; None where it is skipped."""
    payload: Any
    """The body that would be sent; holds no header and no key."""
    adaptations: tuple[Adaptation, ...]
    """What would be changed in the request so that it fits."""
    seconds: float
    """The longest that all its tries and the pauses between them can take until an answer begins."""
    cost: Decimal | None
    """US dollars of one try at most, an estimate; None where the price or the answer's length is unknown."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A call, planned and not made."""

    route: str
    """The name that the request gives."""
    steps: tuple[Step, ...]
    """The targets in the order in which they would be tried; the members of a pool as they are listed."""
    branches: tuple[tuple[str, tuple[Step, ...]], ...]
    """For each kind with targets of its own, those targets."""
    max_attempts: int
    """The most attempts over all targets."""
    seconds: float
    """The longest the call can take until its answer begins."""
    prompt_tokens: int
    """About how long the prompt is; an estimate."""
    cost: Decimal | None
    """US dollars at most, if every attempt is paid for; None where one try's is unknown."""

    def __str__(self) -> str:
        lines = [f"{self.route}: at most {self.max_attempts} attempts in {self.seconds:g} s"]
        lines += [f"  {number}. {_line(step)}" for number, step in enumerate(self.steps, 1)]
        for kind, steps in self.branches:
            lines += [f"  after {kind}: {_line(step)}" for step in steps]
        return "\n".join(lines)


def explain(call: Call) -> Explanation:
    """Plan a call; RequestError where an override contradicts the request."""
    tokens = prompt_tokens(call.request)
    plan = call.plan
    steps = tuple(_step(call, planned, tokens) for planned in plan.targets)
    branches: dict[str, tuple[Step, ...]] = {}
    for planned in plan.targets:
        for kind, ahead in planned.branches.items():
            known = branches.get(kind, ())
            seen = {step.target for step in known}
            fresh = (one for one in ahead if one.name not in seen)
            branches[kind] = (*known, *(_step(call, one, tokens) for one in fresh))
    reachable = [*steps, *(step for ahead in branches.values() for step in ahead)]
    attempts = min(plan.max_attempts, sum(step.attempts for step in reachable))
    return Explanation(
        route=plan.route,
        steps=steps,
        branches=tuple(branches.items()),
        max_attempts=attempts,
        seconds=min(call.deadline, sum(step.seconds for step in reachable)),
        prompt_tokens=tokens,
        cost=_dearest(reachable, attempts),
    )


def _step(call: Call, planned: PlannedTarget, tokens: int) -> Step:
    tries = min(planned.retry.attempts, call.plan.max_attempts)
    try:
        request = planned.request_for(call.request)
        planned = planned.speaking(request)
        wire = foreseen(request, planned.target, partial(encode, replace(call, target=planned)))
    except (UnsupportedError, ContextWindowError) as error:
        return Step(
            target=planned.name,
            why=f"{planned.why}; skipped: {error}",
            skipped=True,
            attempts=0,
            url=None,
            payload=None,
            adaptations=(),
            seconds=0.0,
            cost=Decimal(0),
        )
    return Step(
        target=planned.name,
        why=planned.why,
        skipped=False,
        attempts=tries,
        url=wire.url.partition("?")[0],
        payload=json.loads(wire.body) if wire.body else None,
        adaptations=wire.adaptations,
        seconds=min(call.deadline, _seconds(planned, tries)),
        cost=_cost(planned, request, tokens),
    )


def _seconds(planned: PlannedTarget, tries: int) -> float:
    timeouts = planned.target.timeouts
    once = min(timeouts.first_token, timeouts.attempt or timeouts.first_token)
    return tries * once + sum(longest_pause(planned.retry, number) for number in range(1, tries))


def _cost(planned: PlannedTarget, request: ChatCompletion, tokens: int) -> Decimal | None:
    most = request.max_output_tokens
    local = planned.target.preset.local
    if most is None and not local:
        return None
    prompt = round(tokens * planned.calibration.factor)
    usage = Usage(prompt_tokens=prompt, completion_tokens=(most or 0) * (request.n or 1))
    return cost_of(usage, planned.price, local=local, estimated=True).amount


def _dearest(steps: list[Step], attempts: int) -> Decimal | None:
    """The most that so many attempts can cost, the dearest targets first."""
    tries: list[Decimal] = []
    for step in steps:
        if step.cost is None:
            return None
        tries += [step.cost] * step.attempts
    return sum(sorted(tries, reverse=True)[:attempts], Decimal(0))


def _line(step: Step) -> str:
    tries = "nothing is sent" if step.skipped else f"{step.attempts} tries" if step.attempts > 1 else "1 try"
    changes = "".join(f"\n       {one.field} {one.action}: {one.reason}" for one in step.adaptations)
    return f"{step.target} ({step.why}; {tries}){changes}"
