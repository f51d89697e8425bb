"""`turnout check`: whether a configuration can be used, and what it holds."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from turnout.config.errors import ConfigError, Problem
from turnout.config.loading import load_settings
from turnout.config.settings import ProviderSettings, Settings
from turnout.providers.catalogue import catalogue
from turnout.providers.targets import resolve

from ..core import Router
from ..promises import plans_of, shortfalls
from ..reachability import unreachable
from .options import config_option, plain_option
from .screen import Screen


@click.command()
@config_option
@click.option("--strict", is_flag=True, help="Take warnings for problems: the exit code is 3.")
@plain_option
def check(config: str, strict: bool, plain: bool) -> None:
    """Check the configuration and list its providers, keys and routes; sends nothing.

    Every problem is told as file:line:column, and the exit code is 3; so is a target that no call could ever
    reach. A fallback that is known to do less than the first target of its route is a warning on stderr, one
    line each.
    """
    settings = load_settings(config, presets=catalogue().keys())
    screen = Screen(plain=plain)
    rows, problems = _providers(settings, os.environ)
    screen.table(("provider", "preset", "address", "key"), rows)
    screen.line()
    screen.table(("route", "targets, in order"), _routes(settings, problems))
    if problems:
        raise ConfigError([Problem(problem.message, problem.file or config) for problem in problems])
    in_vain = [str(found) for plan in plans_of(settings, os.environ) for found in unreachable(plan)]
    if in_vain:
        raise ConfigError([Problem(found, config) for found in in_vain])
    warnings = [str(shortfall) for shortfall in shortfalls(settings, os.environ)]
    if strict and warnings:
        raise ConfigError([Problem(warning, config) for warning in warnings])
    screen.line()
    for warning in warnings:
        Screen(plain=plain, stderr=True).line(f"warning: {warning}", "yellow")
    if not warnings:
        screen.line(f"{config} is fine.", "green")
    else:
        count = f"{len(warnings)} warning{'' if len(warnings) == 1 else 's'}"
        screen.line(f"{config} can be used; {count}.", "green")


def _providers(settings: Settings, env: Mapping[str, str]) -> tuple[list[tuple[str, ...]], list[Problem]]:
    rows: list[tuple[str, ...]] = []
    problems: list[Problem] = []
    for name, provider in settings.providers.items():
        preset = provider.preset or (provider.dialect and "-") or name
        try:
            target = resolve(name, provider, "any", env=env)
        except ConfigError as error:
            problems += error.problems
            rows.append((name, preset, provider.base_url or "-", "missing"))
        else:
            rows.append((name, preset, target.base_url, _key(provider, found=target.api_key is not None)))
    return rows, problems


def _key(provider: ProviderSettings, *, found: bool) -> str:
    """Where the key was found; never the key."""
    if provider.token_from is not None:
        return f"from {provider.token_from}"
    if not found:
        return "none needed"
    if len(provider.keys_in_use) > 1:
        return f"{len(provider.keys_in_use)} keys in the file"
    return "in the file" if provider.api_key is not None or provider.keys_in_use else "in the environment"


def _routes(settings: Settings, problems: list[Problem]) -> list[tuple[str, str]]:
    if problems:  # a router cannot be built, so only the names are known
        return [(name, "-") for name in settings.routes]
    router = Router(settings)
    return [(name, ", ".join(_targets(router, name))) for name in settings.routes]


def _targets(router: Router, route: str) -> list[str]:
    explanation = router.explain(model=route, messages=[{"role": "user", "content": "Hello"}])
    branches = [f"{step.target} (after {kind})" for kind, steps in explanation.branches for step in steps]
    return [*(step.target for step in explanation.steps), *branches]
