"""From a route's name to a finite plan: every target it stands for, in order, with all it needs to be tried.

Nested chains and routes are flattened where they stand. Where several places say something, the nearest to
the target wins: the target itself, then the routes from the innermost outwards, then the provider, then the
defaults; for timeouts this holds field by field. `deadline`, `max_attempts`, `fallback_on` and
`on_unsupported` are those of the route that the caller named.

A route's `context_window` and `content_policy` lists are branches: when a target fails with that kind, the
call goes there at once, since its siblings are no larger and no more lenient, and ends where the branch ends.

A target that occurs twice with the same overrides is planned once. Nothing here reads a clock or a socket.

Pools stay as they are: their members are put in order for each call, by `arranging`. A plan lists their
targets as they are written, but for members whose weight is 0, which are not planned at all. In the lists of
a branch a pool stands for its members in the order in which they are written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import iscoroutinefunction
from itertools import count
from typing import Any, NamedTuple

from turnout.config.errors import ConfigError
from turnout.config.policies import Timeouts
from turnout.config.prices import PriceBook
from turnout.config.sections import Kind
from turnout.config.settings import ChainNode, Node, PoolNode, Route, RouteNode, Settings, TargetNode
from turnout.config.suggestions import did_you_mean
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Dialect, Target
from turnout.providers.errors import RequestError

from .functions import function_at
from .health.board import Board, enabled, has_policies
from .meaning import Predicate, judge, predicates_of
from .plans import Member, Plan, PlannedTarget, Pool, Step
from .strategies import BUILT_IN, Named

__all__ = ["Plan", "PlannedTarget", "Planner", "Pool", "Resolve"]

_DIRECT_PLANS = 1024  # plans kept for models that callers name directly, as `provider/model`
_BRANCHES: tuple[Kind, ...] = ("context_window", "content_policy")

Resolve = Callable[[str, str], tuple[Target, Dialect]]
"""Finds a provider's model by the two names; ConfigError where something is missing."""


class _Scope(NamedTuple):
    """What the routes around a node say, the innermost first."""

    routes: tuple[tuple[str, Route], ...]
    pools: tuple[str, ...] = ()
    """The pools around the node, in words, the outermost first."""

    def enter(self, name: str, route: Route) -> _Scope:
        return _Scope(((name, route), *self.routes), self.pools)

    def join(self, pool: PoolNode, node: Node) -> _Scope:
        weights = sum(member.weight for member in pool.pool)
        share = "" if weights == len(pool.pool) else f", weight {node.weight} of {weights}"
        return _Scope(self.routes, (*self.pools, f"{pool.strategy} pool{share}"))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in reversed(self.routes))


class _Found:
    """What one plan has come upon until now."""

    def __init__(self) -> None:
        self.targets: dict[object, PlannedTarget] = {}
        self.branches: dict[tuple[tuple[str, ...], Kind], tuple[PlannedTarget, ...]] = {}


class Planner:
    """Compiles plans out of settings, each once."""

    def __init__(
        self, settings: Settings, resolve: Resolve, prices: PriceBook, board: Board | None = None
    ) -> None:
        self._settings = settings
        self._kept = Board() if board is None else board
        self._board = board if board is not None and has_policies(settings) else None
        self._resolve = resolve
        self._prices = prices
        self._routes: dict[str, Plan] = {}
        self._direct: dict[str, Plan] = {}

    def compile_all(self) -> None:
        """Compile every route now, so that what is wrong is told at once; ConfigError lists all of it."""
        problems = []
        for name in self._settings.routes:
            try:
                self.plan(name)
            except ConfigError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigError(list(dict.fromkeys(problems)))

    def plan(self, model: str) -> Plan:
        """The plan of a route or of `provider/model`; RequestError for a name that is neither."""
        plan = self._routes.get(model)
        if plan is None:
            plan = self._direct.get(model)
        return self._new_plan(model) if plan is None else plan

    def _new_plan(self, model: str) -> Plan:
        route = self._settings.routes.get(model)
        if route is not None:
            plan = self._routes[model] = self._compile(model, route)
            return plan
        provider, slash, name = model.partition("/")
        if not (slash and name and provider in self._settings.providers):
            raise self._unknown(model)
        if len(self._direct) >= _DIRECT_PLANS:
            self._direct.clear()
        plan = self._direct[model] = self._compile(
            model, Route(chain=(TargetNode(target=model),)), direct=True
        )
        return plan

    def _unknown(self, model: str) -> RequestError:
        known = [*self._settings.routes, *self._settings.providers]
        provider, slash, _ = model.partition("/")
        if slash and provider not in self._settings.providers:
            hint = did_you_mean(provider, self._settings.providers) or "."
            return RequestError(
                f"no route is called {model!r} and no provider {provider!r}{hint} "
                f"Configured providers: {_listed(self._settings.providers)}; "
                f"routes: {_listed(self._settings.routes)}",
                field="model",
            )
        return RequestError(
            f"no route is called {model!r}{did_you_mean(model, known) or '.'} Routes: "
            f"{_listed(self._settings.routes)}; or name a target as provider/model",
            field="model",
        )

    def _compile(self, name: str, route: Route, *, direct: bool = False) -> Plan:
        defaults = self._settings.defaults
        scope = _Scope(()) if direct else _Scope(()).enter(name, route)
        found = _Found()
        steps = tuple(self._steps(route.chain, scope, found))
        targets = tuple(found.targets.values())
        fallback_on = frozenset(defaults.fallback_on if route.fallback_on is None else route.fallback_on)
        stated = route.max_attempts or (
            defaults.max_attempts if "max_attempts" in defaults.model_fields_set else None
        )
        plan = Plan(
            route=name,
            targets=targets,
            deadline=defaults.deadline if route.deadline is None else route.deadline,
            # a chain longer than the default would otherwise hold targets that no call can reach
            max_attempts=stated or max(defaults.max_attempts, len(targets)),
            fallback_on=fallback_on | {"rejected"} if route.reject else fallback_on,
            direct=direct,
            hedge=enabled(route.hedge, defaults.hedge),
            on_interrupt=route.on_interrupt or defaults.on_interrupt,
            slow_stream=enabled(route.slow_stream, defaults.slow_stream),
            reject=route.reject,
            steps=steps if any(isinstance(step, Pool) for step in steps) else (),
        )
        _appoint(plan, predicates_of(name, route.reject))
        return plan

    def _steps(self, nodes: Iterable[Node], scope: _Scope, found: _Found) -> Iterator[Step]:
        """Everything under `nodes`, chains and routes flattened, with the branches of the routes around."""
        for node in nodes:
            if isinstance(node, TargetNode):
                yield self._found(node, scope, found)
            elif isinstance(node, ChainNode):
                yield from self._steps(node.chain, scope, found)
            elif isinstance(node, PoolNode):
                yield self._pool(node, scope, found)
            else:
                inner = self._nested(node, scope)
                yield from self._steps(inner.chain, scope.enter(node.route, inner), found)

    def _found(self, node: TargetNode, scope: _Scope, found: _Found) -> PlannedTarget:
        own = {kind: branch for kind in _BRANCHES if (branch := self._branch(kind, scope, found.branches))}
        planned = dataclasses.replace(self._planned(node, scope), branches=own)
        return found.targets.setdefault(_identity(planned), planned)

    def _pool(self, node: PoolNode, scope: _Scope, found: _Found) -> Pool:
        members: dict[str, Member] = {}
        for inner in node.pool:
            if not inner.weight:
                continue
            steps = tuple(self._steps((inner,), scope.join(node, inner), found))
            leaves = tuple(dict.fromkeys(_leaves_of(steps)))
            name = leaves[0].name
            if name in members:
                name = next(named for number in count(2) if (named := f"{name}#{number}") not in members)
            members[name] = Member(name, inner.weight, steps, leaves)
        pool = Pool(
            strategy=_strategy(node.strategy, scope),
            members=tuple(members.values()),
            by=node.by,
            max_price=node.max_price,
            turns=count(),
        )
        if not members:
            raise ConfigError(f"{_place(scope)}: the weight of every member of a pool is 0; leave one above")
        return _priced(pool, scope)

    def _leaves(self, nodes: Iterable[Node], scope: _Scope) -> Iterator[tuple[TargetNode, _Scope]]:
        for node in nodes:
            if isinstance(node, TargetNode):
                yield node, scope
            elif isinstance(node, ChainNode):
                yield from self._leaves(node.chain, scope)
            elif isinstance(node, PoolNode):
                alive = (inner for inner in node.pool if inner.weight)
                yield from (leaf for inner in alive for leaf in self._leaves((inner,), scope))
            else:
                inner = self._nested(node, scope)
                yield from self._leaves(inner.chain, scope.enter(node.route, inner))

    def _nested(self, node: RouteNode, scope: _Scope) -> Route:
        if node.route in scope.names:
            raise ConfigError(f"routes turn in a circle: {' -> '.join((*scope.names, node.route))}")
        inner = self._settings.routes.get(node.route)
        if inner is None:
            hint = did_you_mean(node.route, self._settings.routes) or "."
            raise ConfigError(f"route {scope.names[-1]!r} names the unknown route {node.route!r}{hint}")
        return inner

    def _branch(
        self,
        kind: Kind,
        scope: _Scope,
        made: dict[tuple[tuple[str, ...], Kind], tuple[PlannedTarget, ...]],
    ) -> tuple[PlannedTarget, ...]:
        """Where to go for a kind: the list of the nearest route that has one."""
        for place, (_, route) in enumerate(scope.routes):
            nodes: tuple[Node, ...] = getattr(route, kind)
            if nodes:
                around = _Scope(scope.routes[place:])
                if (around.names, kind) not in made:
                    leaves = (self._planned(*leaf, kind) for leaf in self._leaves(nodes, around))
                    made[around.names, kind] = tuple({_identity(one): one for one in leaves}.values())
                return made[around.names, kind]
        return ()

    def _planned(self, node: TargetNode, scope: _Scope, branch: Kind | None = None) -> PlannedTarget:
        settings = self._settings
        provider = settings.providers.get(node.provider)
        if provider is None:
            hint = did_you_mean(node.provider, settings.providers) or "."
            raise ConfigError(f"target {node.target!r} names the unknown provider {node.provider!r}{hint}")
        target, wire_format = self._resolve(node.provider, node.model)
        routes = [route for _, route in scope.routes]
        retries = (node.retry, *(route.retry for route in routes))
        timeouts = (node.timeouts, *(route.timeouts for route in routes), provider.timeouts)
        outermost = routes[-1].on_unsupported if routes else None
        target = dataclasses.replace(
            target,
            overrides=_checked_overrides(node),
            timeouts=_merged(timeouts, settings.defaults.timeouts),
            on_unsupported=outermost or settings.defaults.on_unsupported,
        )
        return PlannedTarget(
            target=target,
            dialect=wire_format,
            retry=next((retry for retry in retries if retry is not None), settings.defaults.retry),
            price=self._prices.find(node.provider, node.model, target.preset.name),
            why=_why(scope, branch),
            standing=None
            if self._board is None
            else self._board.standing(node.provider, node.model, settings),
            calibration=self._kept.calibration(node.provider, node.model, settings),
        )


def _appoint(plan: Plan, predicates: tuple[tuple[str, Predicate], ...]) -> None:
    """Give each target of a new plan the judge of its answers."""
    for planned in plan.everything:
        again = planned.retry.on if plan.max_attempts > 1 and planned.retry.attempts > 1 else ()
        kinds = {*plan.fallback_on, *planned.branches, *again}
        object.__setattr__(planned, "judge", judge(kinds, predicates))


def _why(scope: _Scope, branch: Kind | None) -> str:
    if not scope.names:
        return "named by the call"
    place = ", ".join((_place(scope), *scope.pools))
    return f"{place}, for {branch}" if branch else place


def _place(scope: _Scope) -> str:
    return f"route {' > '.join(scope.names)}"


def _strategy(name: str, scope: _Scope) -> Named:
    """A strategy by name or path; ConfigError where there is none."""
    if ":" in name:
        function = function_at(name, f"{_place(scope)}: strategy")
        if iscoroutinefunction(function):
            raise ConfigError(f"{_place(scope)}: strategy: {name} is async; nothing can be waited for there")
        return Named.own(name, function)
    if name not in BUILT_IN:
        advice = did_you_mean(name, BUILT_IN) or f"; it is one of {', '.join(BUILT_IN)}"
        raise ConfigError(f"{_place(scope)}: unknown strategy {name!r}{advice}")
    return BUILT_IN[name]


def _priced(pool: Pool, scope: _Scope) -> Pool:
    """The pool, if a limit of its price can be kept; ConfigError where a member's price is unknown."""
    if pool.max_price is not None:
        for leaf in (leaf for member in pool.members for leaf in member.leaves):
            if leaf.price is None and not leaf.target.preset.local:
                raise ConfigError(
                    f"{_place(scope)}: a pool with max_price needs the price of every target; "
                    f"add {leaf.name} under prices"
                )
    return pool


def _leaves_of(steps: Iterable[Step]) -> Iterator[PlannedTarget]:
    for step in steps:
        if isinstance(step, Pool):
            for member in step.members:
                yield from member.leaves
        else:
            yield step


def _merged(sections: Iterable[Timeouts | None], defaults: Timeouts) -> Timeouts:
    """Field by field what the first section says that says anything."""
    said: dict[str, Any] = {}
    for section in sections:
        for name in section.model_fields_set if section is not None else ():
            said.setdefault(name, getattr(section, name))
    return defaults.model_copy(update=said) if said else defaults


def _checked_overrides(node: TargetNode) -> Mapping[str, Any]:
    """The overrides of a target, known to be a valid part of a request."""
    overrides = dict(node.request)
    try:
        sample = {"model": node.target, "messages": [{"role": "user", "content": "?"}]}
        said = {name: value for name, value in overrides.items() if value is not None}
        ChatCompletion.parse({**sample, **said})
    except RequestError as error:
        raise ConfigError(f"target {node.target!r}: request.{error}") from error
    return overrides


def _identity(planned: PlannedTarget) -> object:
    target = planned.target
    overrides = repr(sorted(target.overrides.items()))
    return (target.provider, target.model, overrides, target.timeouts, planned.retry)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
