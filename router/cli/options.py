"""Options that several commands share, and how a command's coroutine is run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import click

T = TypeVar("T")

config_option = click.option(
    "--config",
    "-c",
    type=click.Path(dir_okay=False),
    default="turnout.yaml",
    show_default=True,
    metavar="FILE",
    help="The chains to use.",
)
plain_option = click.option("--plain", is_flag=True, help="No colour and no boxes, on a terminal too.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON on stdout and nothing else.")
think_option = click.option(
    "--think/--no-think", default=None, help="Switch thinking on or off, for any provider."
)
tokens_option = click.option(
    "--max-tokens", type=click.IntRange(min=1), metavar="N", help="Tokens of the answer, at most."
)
backend_option = click.option(
    "--backend",
    type=click.Choice(["asyncio", "trio"]),
    default="asyncio",
    show_default=True,
    help="The event loop to run on; trio must be installed.",
)


def run(backend: str, main: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function to its end; a usage error where the backend is not installed."""
    with installed(backend):
        return anyio.run(main, backend=backend)


@contextmanager
def installed(backend: str) -> Iterator[None]:
    """Turn anyio's complaint about an event loop that is not installed into a usage error."""
    try:
        yield
    except LookupError as error:
        if "backend" not in str(error).lower():
            raise
        raise click.UsageError(f"{backend} is not installed; run: pip install {backend}") from error
