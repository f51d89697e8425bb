"""`turnout simulate`: the provider simulator as a server of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import anyio
import click

from ..testing import HOSTS, Simulator, demo_scripts, load_script, serve
from .options import backend_option, run


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8899, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option(
    "--script",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Replies by model name, as YAML; without it, those of the demo.",
)
@click.option(
    "--quirks",
    type=click.Choice(sorted(HOSTS)),
    default="openai",
    show_default=True,
    help="The host whose wire it speaks.",
)
@backend_option
def simulate(host: str, port: int, script: str | None, quirks: str, backend: str) -> None:
    """Answer like a provider, with scripted replies and faults, until Ctrl-C.

    Any model that the script does not name repeats the last message.
    """
    scripts = demo_scripts() if script is None else load_script(script)
    serving = partial(serve, host, port, scripts, quirks, _announce)
    if os.name == "nt":  # event loops there have no signal handlers; Ctrl-C breaks in by itself
        run(backend, serving)
    else:
        run(backend, partial(_until_interrupted, serving))
    raise KeyboardInterrupt


async def _until_interrupted(serving: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Serve until Ctrl-C, then close every connection in order."""
    with anyio.open_signal_receiver(signal.SIGINT) as interrupts:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serving)
            await anext(interrupts)
            tasks.cancel_scope.cancel()


def _announce(simulator: Simulator) -> None:
    click.echo(f"Simulated provider at {simulator.url} (Ctrl-C ends it)", err=True)
