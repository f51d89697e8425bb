"""Options that several commands share, and how a command's coroutine is run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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
    try:
        return anyio.run(main, backend=backend)
    except LookupError as error:
        raise missing_backend(backend, error) from error


def missing_backend(backend: str, error: LookupError) -> Exception:
    """What to raise where an event loop could not be had: `error` itself if it was about something else."""
    if "backend" not in str(error).lower():
        return error
    return click.UsageError(f"{backend} is not installed; run: pip install {backend}")
