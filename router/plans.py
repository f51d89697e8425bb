"""What planning makes out of a route: targets, pools of them, and the plan that holds both."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from turnout.config.policies import Hedge, Retry, SlowStream
from turnout.config.prices import Price
from turnout.config.sections import Kind, OnInterrupt
from turnout.providers.chat import ChatCompletion
from turnout.providers.choosing import as_twin, twin_for
from turnout.providers.dialect import Dialect, Target, Workings
from turnout.providers.dialects import dialect

from .accounting.pricing import Tariff
from .health.calibration import Calibration
from .meaning import Judge
from .strategies import Named

if TYPE_CHECKING:
    from .health.standing import Standing


@dataclass(frozen=True, slots=True, eq=False)
class PlannedTarget(Workings):
    """A target as one plan tries it."""

    target: Target
    dialect: Dialect
    retry: Retry
    price: Price | None
    why: str
    """Where in the settings it stands, in words."""
    branches: Mapping[Kind, tuple[PlannedTarget, ...]] = field(default_factory=dict)
    """Where to go when this target fails with one of these kinds."""
    standing: Standing | None = None
    """What all calls know of it together; None where no policy asks."""
    calibration: Calibration = field(default_factory=Calibration, repr=False)
    """What its answers have taught of how long prompts are, and answers."""
    judge: Judge | None = None
    """What its answers have to be; None where nothing is asked of them."""
    name: str = field(init=False)
    """`provider/model`."""

    tariff: Tariff | None = field(init=False, repr=False)
    """`price`, made ready for adding up."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", str(self.target))
        object.__setattr__(self, "tariff", None if self.price is None else Tariff(self.price))

    def with_each_key(self) -> tuple[PlannedTarget, ...]:
        """The same with each of its provider's keys; nothing where there is but one."""
        return self.once(_with_each_key)

    def speaking(self, request: ChatCompletion) -> PlannedTarget:
        """The target in the wire that can say this request: its own, or another that its host speaks too."""
        if not self.target.preset.twins:
            return self
        name = twin_for(request, self.target)
        if name is None:
            return self
        return dataclasses.replace(self, target=as_twin(self.target, name), dialect=dialect(name))

    def request_for(self, request: ChatCompletion) -> ChatCompletion:
        """The caller's request with this target's overrides, where null takes a field away; RequestError."""
        if not self.target.overrides:
            return request
        fields = {**request.wire(), **self.target.overrides}
        return ChatCompletion.parse({name: value for name, value in fields.items() if value is not None})


def _with_each_key(planned: PlannedTarget) -> tuple[PlannedTarget, ...]:
    return tuple(dataclasses.replace(planned, target=target) for target in planned.target.with_each_key())


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A member of a pool: a target, or all that a chain, a route or another pool stands for."""

    name: str
    """`provider/model` of its first target; a second member of the same name has a number behind it."""
    weight: int
    """Its share beside the other members'; 1 or more, for those without one are not planned."""
    steps: tuple[Step, ...]
    """What it stands for, in order."""
    leaves: tuple[PlannedTarget, ...]
    """All targets in it, each once, as they are listed."""
    standings: tuple[Standing, ...] = field(init=False, repr=False)
    """Theirs, each once; empty where no policy asks."""
    standing: Standing | None = field(init=False, repr=False)
    """The only one of them; None where there are several, or none."""
    has_pools: bool = field(init=False, repr=False)
    """Whether the order of its targets is decided for each call."""

    def __post_init__(self) -> None:
        found = {id(leaf.standing): leaf.standing for leaf in self.leaves if leaf.standing is not None}
        object.__setattr__(self, "standings", tuple(found.values()))
        alone = self.standings[0] if len(self.leaves) == len(self.standings) == 1 else None
        object.__setattr__(self, "standing", alone)
        object.__setattr__(self, "has_pools", any(isinstance(step, Pool) for step in self.steps))


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Members among which a strategy chooses, anew for each call."""

    strategy: Named
    members: tuple[Member, ...]
    by: Literal["user", "session", "prompt"]
    """What a strategy is told that holds on to something."""
    max_price: Decimal | None
    """US dollars that a call may cost."""
    turns: Iterator[int]
    """Counts the calls."""


Step = PlannedTarget | Pool
"""What stands in a plan: a target, or a pool whose place its members take in the order of the call."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A route compiled for calling."""

    route: str
    """The name that the caller used."""
    targets: tuple[PlannedTarget, ...]
    """All of them, each once, in the order in which they are listed; the one in which they are tried, too,
    unless the plan is pooled."""
    deadline: float
    """Seconds for the whole call."""
    max_attempts: int
    """Attempts over all targets."""
    fallback_on: frozenset[Kind]
    """Kinds after which the next target is tried."""
    direct: bool = False
    """Whether the name is `provider/model` itself, and no route."""
    hedge: Hedge | None = None
    """When the next target is started beside the first."""
    on_interrupt: OnInterrupt = "raise"
    """What happens to a stream that breaks after its first word."""
    slow_stream: SlowStream | None = None
    """When a stream is too slow to wait for."""
    steps: tuple[Step, ...] = ()
    """Targets and pools as they stand in the route; left empty where there is no pool."""
    reject: tuple[str, ...] = ()
    """Functions that are asked of every answer whether another target is to be tried instead."""
    pooled: bool = field(init=False)
    """Whether the order of its targets is decided for each call."""
    retries: bool = field(init=False)
    """Whether any target may be tried more than once."""
    falls_back: bool = field(init=False)
    """Whether there is anywhere to go after the first target."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pooled", bool(self.steps))
        again = any(planned.retry.attempts > 1 for planned in self.everything)
        object.__setattr__(self, "retries", self.max_attempts > 1 and again)
        branches = any(planned.branches for planned in self.targets)
        object.__setattr__(self, "falls_back", len(self.targets) > 1 or branches)

    @property
    def everything(self) -> Iterator[PlannedTarget]:
        """The targets and those of their branches, each once."""
        seen: set[int] = set()
        for planned in self.targets:
            for one in (planned, *(late for branch in planned.branches.values() for late in branch)):
                if id(one) not in seen:
                    seen.add(id(one))
                    yield one

    def foremost(self, planned: PlannedTarget) -> tuple[PlannedTarget, ...]:
        """The targets in an order in which one of them comes as early as it ever does.

        Each pool that it is in has it first, for whatever the strategy, others may have to wait.
        """
        if not self.pooled:
            return self.targets
        return tuple(dict.fromkeys(_with_first(planned, self.steps)))


def _with_first(planned: PlannedTarget, steps: tuple[Step, ...]) -> Iterator[PlannedTarget]:
    for step in steps:
        if isinstance(step, Pool):
            for member in sorted(step.members, key=lambda member: planned not in member.leaves):
                yield from _with_first(planned, member.steps)
        else:
            yield step
