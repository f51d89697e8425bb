"""Where a later target of a route is known to do less than the first one, which callers count on.

A caller writes for the target that answers as a rule. One that steps in for it and takes no images, or holds
a shorter prompt, is passed by for just those requests, or cuts them down; that is worth knowing before the
day on which it matters. Only what is known of both is compared, and a field that a target sets for itself
(`request:` in the settings) is its own decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from turnout.config.prices import PriceBook
from turnout.config.settings import Settings
from turnout.providers.catalogue import Capabilities
from turnout.providers.dialect import Dialect, Target
from turnout.providers.dialects import dialect
from turnout.providers.dialects.prefilling import prefill_of
from turnout.providers.targets import resolve

from .planning import Plan, PlannedTarget, Planner

_ABILITIES = (
    ("images", "images", ()),
    ("audio", "sound", ()),
    ("files", "files", ()),
    ("tools", "tools", ("tools",)),
    ("forced_tools", "forced tool calls", ("tool_choice", "tools")),
    ("json_schema", "answers after a schema", ("response_format",)),
    ("thinking_off", "thinking switched off", ("enable_thinking", "reasoning_effort", "thinking_budget")),
)
"""Capability, what it is in words, and the fields with which a target decides about it for itself."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What one target cannot do that the first target of its route can."""

    route: str
    target: str
    """`provider/model`."""
    first: str
    """The target that it falls short of."""
    lacks: tuple[str, ...]
    """What is missing, in words."""

    def __str__(self) -> str:
        return f"route {self.route}: {self.target} falls short of {self.first}: {'; '.join(self.lacks)}"


def shortfalls(settings: Settings, env: Mapping[str, str]) -> list[Shortfall]:
    """What the targets of all routes lack; `env` holds the keys. ConfigError where one cannot be planned."""
    return [shortfall for plan in plans_of(settings, env) for shortfall in shortfalls_of(plan)]


def plans_of(settings: Settings, env: Mapping[str, str]) -> list[Plan]:
    """The plans of all routes, made without a router. ConfigError."""

    def find(provider: str, model: str) -> tuple[Target, Dialect]:
        target = resolve(provider, settings.providers[provider], model, env=env)
        return target, dialect(target.preset.dialect)

    planner = Planner(settings, find, PriceBook.seed())
    return [planner.plan(route) for route in settings.routes]


def shortfalls_of(plan: Plan) -> Iterator[Shortfall]:
    """What the targets of a plan lack, those of its branches included; each target once."""
    first = plan.targets[0]
    promised = _known(first)
    for planned in plan.targets[1:]:
        lacks = [*_abilities(promised, planned), *_sizes(promised, planned)]
        if plan.on_interrupt == "continue" and prefill_of(planned.target) is None:
            lacks.append("it does not go on with an answer that broke off")
        if lacks:
            yield Shortfall(plan.route, planned.name, first.name, tuple(lacks))
    told = {planned.name for planned in plan.targets}
    for kind, ahead in _branches(plan):
        if ahead.name in told:
            continue
        told.add(ahead.name)
        larger = [*_no_larger(promised, ahead)] if kind == "context_window" else [*_sizes(promised, ahead)]
        if lacks := [*_abilities(promised, ahead), *larger]:
            yield Shortfall(plan.route, ahead.name, first.name, tuple(lacks))


def _known(planned: PlannedTarget) -> Capabilities:
    return planned.target.preset.capabilities_of(planned.target.model)


def _branches(plan: Plan) -> Iterable[tuple[str, PlannedTarget]]:
    for planned in plan.targets:
        for kind, branch in planned.branches.items():
            for ahead in branch:
                yield kind, ahead


def _abilities(promised: Capabilities, planned: PlannedTarget) -> Iterator[str]:
    known = _known(planned)
    missing = [
        words
        for name, words, settles in _ABILITIES
        if getattr(promised, name) and getattr(known, name) is False
        if not any(field in planned.target.overrides for field in settles)
    ]
    if missing:
        yield f"no {' and no '.join(missing)}"


def _sizes(promised: Capabilities, planned: PlannedTarget) -> Iterator[str]:
    """A window that nothing else makes up for, and a limit on the answer."""
    known = _known(planned)
    window, wanted = known.context_window, promised.context_window
    if _less(window, wanted) and "context_window" not in planned.branches:
        yield f"its window holds {window} tokens, not {wanted}"
    most, wanted = known.output_limit, promised.output_limit
    own = {"max_tokens", "max_completion_tokens"} & planned.target.overrides.keys()
    if _less(most, wanted) and not own:
        yield f"its answers end at {most} tokens, not {wanted}"


def _less(size: int | None, wanted: int | None) -> bool:
    """Whether one size is known to be clearly smaller; vendors count round thousands in two ways."""
    return size is not None and wanted is not None and size < wanted * 0.9


def _no_larger(promised: Capabilities, ahead: PlannedTarget) -> Iterator[str]:
    """A window that is no help to prompts which are too long for the first target."""
    window, wanted = _known(ahead).context_window, promised.context_window
    if window and wanted and window <= wanted:
        yield f"prompts that are too long go there, and its window of {window} tokens is no larger"
