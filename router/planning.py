"""From a route's name to a finite plan: every target it stands for, in order, with all it needs to be tried.

Nested chains and routes are flattened where they stand. Where several places say something, the nearest to
the target wins: the target itself, then the routes from the innermost outwards, then the provider, then the
defaults; for timeouts this holds field by field. `deadline`, `max_attempts`, `fallback_on` and
`on_unsupported` are those of the route that the caller named.

A route's `context_window` and `content_policy` lists are branches: when a target fails with that kind, the
call goes there at once, since its siblings are no larger and no more lenient, and ends where the branch ends.

A target that occurs twice with the same overrides is planned once. Nothing here reads a clock or a socket.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from turnout.config.errors import ConfigError
from turnout.config.policies import Hedge, Retry, SlowStream, Timeouts
from turnout.config.prices import Price, PriceBook
from turnout.config.sections import Kind, OnInterrupt
from turnout.config.settings import ChainNode, Node, PoolNode, Route, RouteNode, Settings, TargetNode
from turnout.config.suggestions import did_you_mean
from turnout.providers.chat import ChatCompletion
from turnout.providers.choosing import as_twin, twin_for
from turnout.providers.dialect import Dialect, Target
from turnout.providers.dialects import dialect
from turnout.providers.errors import RequestError

from .accounting.pricing import Tariff
from .health.board import Board, enabled, has_policies
from .health.standing import Standing

_DIRECT_PLANS = 1024  # plans kept for models that callers name directly, as `provider/model`
_BRANCHES: tuple[Kind, ...] = ("context_window", "content_policy")

Resolve = Callable[[str, str], tuple[Target, Dialect]]
"""Finds a provider's model by the two names; ConfigError where something is missing."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """What the routes around a node say, the innermost first."""

    routes: tuple[tuple[str, Route], ...]

    def enter(self, name: str, route: Route) -> _Scope:
        return _Scope(((name, route), *self.routes))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in reversed(self.routes))


class Planner:
    """Compiles plans out of settings, each once."""

    def __init__(
        self, settings: Settings, resolve: Resolve, prices: PriceBook, board: Board | None = None
    ) -> None:
        self._settings = settings
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
        targets = self._targets(route.chain, scope)
        stated = route.max_attempts or (
            defaults.max_attempts if "max_attempts" in defaults.model_fields_set else None
        )
        return Plan(
            route=name,
            targets=targets,
            deadline=defaults.deadline if route.deadline is None else route.deadline,
            # a chain longer than the default would otherwise hold targets that no call can reach
            max_attempts=stated or max(defaults.max_attempts, len(targets)),
            fallback_on=frozenset(defaults.fallback_on if route.fallback_on is None else route.fallback_on),
            direct=direct,
            hedge=enabled(route.hedge, defaults.hedge),
            on_interrupt=route.on_interrupt or defaults.on_interrupt,
            slow_stream=enabled(route.slow_stream, defaults.slow_stream),
            reject=route.reject,
        )

    def _targets(self, nodes: Iterable[Node], scope: _Scope) -> tuple[PlannedTarget, ...]:
        """All targets under `nodes`, with the branches of the routes around them."""
        branches: dict[tuple[tuple[str, ...], Kind], tuple[PlannedTarget, ...]] = {}
        found: dict[object, PlannedTarget] = {}
        for node, inside in self._leaves(nodes, scope):
            own = {kind: branch for kind in _BRANCHES if (branch := self._branch(kind, inside, branches))}
            planned = dataclasses.replace(self._planned(node, inside), branches=own)
            found.setdefault(_identity(planned), planned)
        return tuple(found.values())

    def _leaves(self, nodes: Iterable[Node], scope: _Scope) -> Iterator[tuple[TargetNode, _Scope]]:
        for node in nodes:
            if isinstance(node, TargetNode):
                yield node, scope
            elif isinstance(node, ChainNode):
                yield from self._leaves(node.chain, scope)
            elif isinstance(node, PoolNode):
                yield from self._leaves(node.pool, scope)
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
        )


def _why(scope: _Scope, branch: Kind | None) -> str:
    if not scope.names:
        return "named by the call"
    place = f"route {' > '.join(scope.names)}"
    return f"{place}, for {branch}" if branch else place


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
