"""`turnout explain`: what a call would do, without doing it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, TextIO

import click

from ..core import Router
from ..explaining import Explanation, Step
from .options import config_option, json_option, plain_option, think_option, tokens_option
from .screen import Screen, duration, money

_COLUMNS = ("#", "target", "tries", "seconds", "cost a try", "because of", "adapted")
_NUMBERS = ("#", "tries", "seconds", "cost a try")


@click.command()
@click.argument("model")
@click.argument("prompt", default="Hello")
@config_option
@think_option
@tokens_option
@click.option(
    "--request",
    "request_file",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="A whole request as JSON, such as one with images or tools, instead of PROMPT; - is stdin.",
)
@json_option
@plain_option
def explain(
    model: str,
    prompt: str,
    config: str,
    think: bool | None,
    max_tokens: int | None,
    request_file: TextIO | None,
    as_json: bool,
    plain: bool,
) -> None:
    """Show what asking MODEL would do: targets in order, what is adapted, the most it may take.

    A target that cannot take the request says why it would be passed by. Nothing is sent. --json shows the
    payload for each target too.
    """
    wanted = {"model": model, "enable_thinking": think, "max_completion_tokens": max_tokens}
    fields: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    request = {"messages": [{"role": "user", "content": prompt}]}
    if request_file is not None:
        request = _request_in(request_file)
    explanation = Router.from_yaml(config).explain({**request, **fields})
    if as_json:
        click.echo(json.dumps(_plain(explanation), indent=2, ensure_ascii=False))
    else:
        _show(Screen(plain=plain), explanation)


def _request_in(file: TextIO) -> dict[str, Any]:
    """The request in a file; a usage error where it holds none."""
    try:
        request = json.load(file)
    except ValueError as error:
        raise click.UsageError(f"--request {file.name}: no JSON: {error}") from error
    if not isinstance(request, dict):
        raise click.UsageError(f"--request {file.name}: a request is a JSON object")
    return request


def _show(screen: Screen, explanation: Explanation) -> None:
    rows = [_row(str(number), step) for number, step in enumerate(explanation.steps, 1)]
    for kind, steps in explanation.branches:
        rows += [_row(f"after {kind}", step) for step in steps]
    screen.table(_COLUMNS, rows, numbers=_NUMBERS)
    attempts = explanation.max_attempts
    screen.line(
        f"At most {attempts} attempt{'' if attempts == 1 else 's'} in {duration(explanation.seconds)} s, "
        f"cost {money(explanation.cost)}; the prompt is about {explanation.prompt_tokens} tokens long."
    )


def _row(number: str, step: Step) -> tuple[str, ...]:
    return (
        number,
        step.target,
        str(step.attempts),
        duration(step.seconds),
        money(step.cost),
        step.why,
        "; ".join(f"{change.field} {change.action}" for change in step.adaptations) or "-",
    )


def _plain(explanation: Explanation) -> dict[str, object]:
    written = asdict(explanation)
    written["steps"] = _steps(explanation.steps)
    written["branches"] = {kind: _steps(steps) for kind, steps in explanation.branches}
    written["cost"] = None if explanation.cost is None else str(explanation.cost)
    return written


def _steps(steps: Iterable[Step]) -> list[dict[str, object]]:
    return [
        {
            **asdict(step),
            "cost": None if step.cost is None else str(step.cost),
            "adaptations": [change.model_dump() for change in step.adaptations],
        }
        for step in steps
    ]
