"""`turnout models`: what the configured providers offer."""

from __future__ import annotations

import json
from functools import partial

import click

from turnout.providers.errors import ProviderError

from ..core import Router
from .failures import one_line
from .options import backend_option, config_option, json_option, plain_option, run
from .screen import Screen


@click.command()
@click.argument("providers", nargs=-1)
@config_option
@json_option
@plain_option
@backend_option
def models(providers: tuple[str, ...], config: str, as_json: bool, plain: bool, backend: str) -> None:
    """List the models that PROVIDERS offer, all configured ones unless some are named.

    Asks each of them over the network. A provider that does not answer is told on stderr, and the exit code
    is 1 if none did.
    """
    router = Router.from_yaml(config)
    names = providers or tuple(router.settings.providers)
    found, failed = run(backend, partial(_ask, router, names))
    about = Screen(plain=plain, stderr=True)
    for name, error in failed.items():
        about.line(one_line(f"{name}: {error}"), "yellow")
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        targets = [(f"{name}/{model}",) for name, listed in found.items() for model in listed]
        Screen(plain=plain).table(("target",), targets)
    if failed and not found:
        raise click.ClickException("no provider listed its models")


async def _ask(
    router: Router, names: tuple[str, ...]
) -> tuple[dict[str, list[str]], dict[str, ProviderError]]:
    """Models by provider, and the errors of those that did not tell."""
    found: dict[str, list[str]] = {}
    failed: dict[str, ProviderError] = {}
    async with router:
        for name in names:
            try:
                found[name] = [model.id for model in (await router.models(name)).data]
            except ProviderError as error:
                failed[name] = error
    return found, failed
