"""What no single value can show: names that point nowhere, cycles, targets that no call would reach.

Works on the settings as written, valid or not, so that one pass reports these beside misspelled keys.
Whatever has the wrong shape is passed over; the models report it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from .findings import Finding, Path
from .pools import check_pools, is_drained, may_leave_out
from .scalars import Substituted, resolved
from .settings import MODEL_KEYS
from .suggestions import did_you_mean

_DETOURS = ("context_window", "content_policy")
"""Lists of nodes beside a route's chain."""


class _Step(NamedTuple):
    """One node that is a target or a route."""

    path: Path
    route: str
    """The route in which it stands."""
    name: str
    """`provider/model`, or the name of the route that it stands for."""
    is_target: bool
    settings: object
    """What is particular to it, for telling repetitions from other uses of the same target."""
    is_sure: bool = True
    """Whether calls that come this way surely try it, so that a repetition gets none."""


def check(value: object, *, presets: Collection[str] | None = None) -> list[Finding]:
    """Everything wrong between the parts of `value`; preset names are checked where `presets` are given."""
    providers, routes = _section(value, "providers"), _section(value, "routes")
    steps = {name: list(_steps(name, route)) for name, route in routes.items()}
    findings = [*_check_providers(providers, presets), *_check_names(routes)]
    for route_steps in steps.values():
        for step in route_steps:
            findings += (
                _check_target(step, providers) if step.is_target else _check_route(step, routes, providers)
            )
        findings += _check_repetitions(route_steps)
    for name, route in routes.items():
        for path, nodes in _lists(name, route):
            findings += check_pools(nodes, path, path[2] if path[2:] and path[2] in _DETOURS else None)
    findings += _check_cycles(steps)
    findings += _check_prices(_section(value, "prices"), providers)
    return findings


def _section(value: object, name: str) -> Mapping[str, object]:
    section = value.get(name) if isinstance(value, Mapping) else None
    return section if isinstance(section, Mapping) else {}


def _check_providers(providers: Mapping[str, object], presets: Collection[str] | None) -> Iterator[Finding]:
    for name, given in providers.items():
        path: Path = ("providers", name)
        provider: Mapping[str, object] = given if isinstance(given, Mapping) else {}
        if given is not None and not isinstance(given, Mapping):
            continue
        if not name or "/" in name or any(letter.isspace() for letter in name):
            yield Finding(
                path, f"a provider's name holds no slash and no space; rename {name!r}", at_key=True
            )
        yield from _check_models(name, provider.get("models"))
        preset = provider.get("preset")
        if isinstance(preset, str):
            if presets is not None and preset not in presets:
                yield Finding((*path, "preset"), f"unknown preset {preset!r}{_near(preset, presets)}")
        elif provider.get("dialect") is not None:
            if provider.get("base_url") is None:
                yield Finding(
                    path, f"provider {name!r} needs a base_url, for no preset gives it one", at_key=True
                )
        elif preset is None and presets is not None and name not in presets:
            advice = did_you_mean(name, presets) or "; give it a preset, or a dialect and a base_url"
            yield Finding(
                path, f"provider {name!r} has no preset, and no preset is called so{advice}", at_key=True
            )


def _check_models(provider: str, models: object) -> Iterator[Finding]:
    """Words that say nothing of a model; what the known ones may be, the catalogue's rows tell later."""
    for pattern, said in models.items() if isinstance(models, Mapping) else ():
        for key in said if isinstance(said, Mapping) else ():
            if key not in MODEL_KEYS:
                advice = did_you_mean(key, MODEL_KEYS) or f"; it takes {', '.join(MODEL_KEYS)}"
                message = f"unknown key {key!r} in models.{pattern} of provider {provider!r}{advice}"
                yield Finding(("providers", provider, "models", pattern, key), message, at_key=True)


def _near(word: str, options: Collection[str]) -> str:
    """A suggestion, but none that would give away what an environment variable holds."""
    return "" if isinstance(word, Substituted) else did_you_mean(word, options)


def _check_names(routes: Mapping[str, object]) -> Iterator[Finding]:
    for name in routes:
        if not name.strip():
            yield Finding(("routes", name), "a route needs a name", at_key=True)
        elif "/" in name:
            message = f"a route's name holds no slash, which is for provider/model; rename {name!r}"
            yield Finding(("routes", name), message, at_key=True)


def _steps(name: str, route: object) -> Iterator[_Step]:
    for path, nodes in _lists(name, route):
        yield from _nodes(name, nodes, path)


def _lists(name: str, route: object) -> Iterator[tuple[Path, object]]:
    """A route's lists of nodes, and where they stand."""
    path: Path = ("routes", name)
    if isinstance(route, (list, tuple)):
        yield path, route
    elif isinstance(route, Mapping):
        for key in ("chain", *_DETOURS):
            yield (*path, key), route.get(key)


def _nodes(route: str, nodes: object, path: Path, *, is_sure: bool = True) -> Iterator[_Step]:
    if not isinstance(nodes, (list, tuple)):
        return
    for index, node in enumerate(nodes):
        at = (*path, index)
        sure = is_sure and not is_drained(node)
        if isinstance(node, str):
            yield _Step(at, route, node, "/" in node, {}, sure)
        elif isinstance(node, Mapping):
            if isinstance(target := node.get("target"), str):
                said = {key: item for key, item in node.items() if key not in ("target", "weight") and item}
                particular = {key: resolved(item) for key, item in said.items()}
                yield _Step((*at, "target"), route, target, True, particular, sure)
            elif isinstance(other := node.get("route"), str):
                yield _Step((*at, "route"), route, other, False, {}, sure)
            elif "pool" in node:
                taken = sure and not may_leave_out(node)
                yield from _nodes(route, node.get("pool"), (*at, "pool"), is_sure=taken)
            else:
                yield from _nodes(route, node.get("chain"), (*at, "chain"), is_sure=sure)


def _check_target(step: _Step, providers: Mapping[str, object]) -> Iterator[Finding]:
    provider, slash, model = step.name.partition("/")
    if not provider or not slash or not model or provider in providers:
        return  # a target without its two halves is for the models to report
    if isinstance(step.name, Substituted):
        yield Finding(
            step.path, f"route {step.route!r}: {step.name!r} names a provider that is not configured"
        )
        return
    advice = did_you_mean(provider, providers) or "; add it under providers"
    yield Finding(step.path, f"route {step.route!r}: unknown provider {provider!r}{advice}")


def _check_route(
    step: _Step, routes: Mapping[str, object], providers: Mapping[str, object]
) -> Iterator[Finding]:
    if step.name in routes or not step.name:
        return
    advice = _near(step.name, routes)
    if not advice and step.name in providers:
        advice = f"; to name a target write {step.name}/ and its model"
    yield Finding(
        step.path,
        f"route {step.route!r}: unknown route {step.name!r}{advice or '; a target is provider/model'}",
    )


def _check_repetitions(steps: list[_Step]) -> Iterator[Finding]:
    """A step that stands twice in one list gets no call the second time: whatever failed would fail again."""
    seen: list[tuple[object, ...]] = []
    for step in steps:
        listed = step.path[2] if step.path[2] in _DETOURS else "chain"
        identity = (listed, step.is_target, step.name, step.settings)
        if identity in seen:
            what = "target" if step.is_target else "route"
            advice = (
                "leave one out, or raise the attempts of its retry" if step.is_target else "leave one out"
            )
            message = f"unreachable: the {what} {step.name!r} already stands earlier in route {step.route!r}"
            yield Finding(step.path, f"{message}; {advice}")
        if step.is_sure:
            seen.append(identity)


def _check_cycles(steps: Mapping[str, list[_Step]]) -> Iterator[Finding]:
    done: set[str] = set()
    trail: list[str] = []

    def walk(route: str) -> Iterator[Finding]:
        trail.append(route)
        for step in steps[route]:
            if step.is_target or step.name not in steps or step.name in done:
                continue
            if step.name in trail:
                cycle = [*trail[trail.index(step.name) :], step.name]
                yield Finding(
                    step.path, f"routes go round in a circle: {' → '.join(map(str.__str__, cycle))}"
                )
            else:
                yield from walk(step.name)
        trail.pop()
        done.add(route)

    for route in steps:
        if route not in done:
            yield from walk(route)


def _check_prices(prices: Mapping[str, object], providers: Mapping[str, object]) -> Iterator[Finding]:
    for name in prices:
        provider, slash, model = name.partition("/")
        if not provider or not slash or not model or any(letter.isspace() for letter in name):
            message = f"a price is for provider/model, where * stands for anything; {name!r} is neither"
            yield Finding(("prices", name), message, at_key=True)
        elif "*" not in provider and provider not in providers:
            advice = did_you_mean(provider, providers) or "; add it under providers, or leave the price out"
            yield Finding(
                ("prices", name), f"price for an unknown provider {provider!r}{advice}", at_key=True
            )
