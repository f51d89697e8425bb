"""`turnout demo`: a chain of three targets in three wire formats, against a simulated provider."""

from __future__ import annotations

from functools import partial

import click

from turnout.config.examples import example_path

from ..core import Router
from ..stream import ChatStream
from ..testing import Simulator, demo_scripts
from .options import backend_option, plain_option, run
from .report import attempts_table, totals, why
from .screen import Screen

ROUTE = "assistant"
PROMPT = "Tell me a short story about a train."


@click.command()
@plain_option
@backend_option
def demo(plain: bool, backend: str) -> None:
    """Watch a call fall back twice and succeed. Needs no key and no network."""
    run(backend, partial(_demo, Screen(plain=plain)))


async def _demo(screen: Screen) -> None:
    example = example_path("offline.yaml")
    async with Simulator(demo_scripts()) as simulator:
        screen.line(f"A simulated provider answers at {simulator.root}, in every wire format")
        async with Router.from_yaml(example, env={"TURNOUT_SIMULATOR": simulator.root}) as router:
            screen.line(f"The chain: {example}")
            screen.line(f"Calling route {ROUTE!r}: {PROMPT}")
            screen.line()
            messages = [{"role": "user", "content": PROMPT}]
            async with router.stream(model=ROUTE, messages=messages) as stream:
                _failures(screen, router)
                await _show(screen, stream)
            trace = stream.response.trace
            attempts_table(screen, trace.attempts)
            screen.line(f"In all: {totals(trace)}", "bold")
            screen.line()
            hosted = example_path("hosted.yaml")
            screen.line(f"Next: copy {hosted} to turnout.yaml, put your own providers into it, and try")
            screen.line(f'  turnout check   and   turnout chat {ROUTE} "Hello"')


def _failures(screen: Screen, router: Router) -> None:
    for attempt in router.ledger.attempts():
        about = "" if attempt.error is None else f" {attempt.error.message}"
        screen.line(f"{attempt.target}: {why(attempt)}.{about}", "yellow")


async def _show(screen: Screen, stream: ChatStream) -> None:
    screen.line(f"{stream.provider}/{stream.model} answers:", "green")
    answering = thinking = False
    async for chunk in stream:
        if chunk.reasoning:
            thinking = True
            screen.piece(chunk.reasoning, "dim italic")
        if chunk.text:
            if thinking and not answering:
                screen.line()
            answering = True
            screen.piece(chunk.text)
    screen.line()
    screen.line()
