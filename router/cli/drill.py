"""`turnout drill`: what callers would see on a bad day, played through with a user's own chains."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar, get_args

import click

from turnout.config.durations import parse_duration
from turnout.config.loading import load_settings
from turnout.providers.catalogue import catalogue

from ..accounting import Attempt
from ..testing.drill import AMOUNTS, Fault, Outcome, Report, Trouble, drill
from .options import backend_option, config_option, plain_option, run
from .screen import Screen, duration, money

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = ("route", "calls", "answered", "attempts", "median s", "95 % s", "longest s", "cost", "errors")
_NUMBERS = _COLUMNS[1:8]
_WIDTH = 60  # columns of the timeline
_MEANING = "█ answered  ▒ some failed  ✗ all failed  - turned away before sending  · nothing"


def _fault_option(trouble: Trouble, what: str) -> Callable[[F], F]:
    amount = {"slow": "[=5s]", "flaky": "[=30%]", "limited": "[=5s]"}.get(trouble, "")
    return click.option(f"--{trouble}", trouble, multiple=True, metavar=f"PROVIDER{amount}", help=what)


@click.command("drill")
@config_option
@click.option("--route", "routes", multiple=True, metavar="ROUTE", help="The route to call; otherwise all.")
@_fault_option("down", "Nobody answers there.")
@_fault_option("slow", "Every answer is so late.")
@_fault_option("flaky", "So many of its answers fail, in various ways.")
@_fault_option("limited", "Every request meets a rate limit that asks for so long a wait.")
@_fault_option("refusing", "It does not take the key.")
@_fault_option("cutting", "Answers break off after their first words.")
@click.option("--calls", default=60, show_default=True, type=click.IntRange(min=1), help="Calls a route.")
@click.option("--at-once", default=10, show_default=True, type=click.IntRange(min=1), help="Calls at a time.")
@click.option("--stream", "streaming", is_flag=True, help="Stream the answers.")
@click.option("--seed", default=0, show_default=True, help="Chance, repeated.")
@plain_option
@backend_option
def command(
    config: str,
    routes: tuple[str, ...],
    calls: int,
    at_once: int,
    streaming: bool,
    seed: int,
    plain: bool,
    backend: str,
    **troubles: tuple[str, ...],
) -> None:
    """Play through a bad day: call the routes of a configuration while its providers fail.

    Providers are replaced by simulators on this machine, so no key is needed and nothing is paid; routes,
    timeouts, retries, breakers, limits and prices are those of the file.
    """
    faults = [_fault(trouble, text) for trouble in get_args(Trouble) for text in troubles.get(trouble, ())]
    settings = load_settings(config, presets=catalogue().keys())
    play = partial(drill, settings, faults, routes=routes, calls=calls, at_once=at_once)
    report = run(backend, partial(play, streaming=streaming, seed=seed))
    _show(Screen(plain=plain), report, faults)


def _fault(trouble: Trouble, text: str) -> Fault:
    provider, equals, amount = text.partition("=")
    if not equals:
        return Fault(provider, trouble, AMOUNTS.get(trouble, 0.0))
    if trouble not in AMOUNTS:
        raise click.UsageError(f"--{trouble} takes a provider and nothing more, not {text!r}")
    try:
        return Fault(provider, trouble, _share(amount) if trouble == "flaky" else parse_duration(amount))
    except ValueError as error:
        raise click.UsageError(f"--{trouble} {text}: {error}") from error


def _share(text: str) -> float:
    """A part of the whole, written like 30 % or 0.3; ValueError for anything else."""
    share = float(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1)
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is no share; write it like 30%")
    return share


def _show(screen: Screen, report: Report, faults: Sequence[Fault]) -> None:
    if not faults:
        screen.line("No provider is in trouble; name some with --down, --slow, --flaky and the like.")
    routes = list(dict.fromkeys(outcome.route for outcome in report.outcomes))
    rows = [_row(route, report.of_route(route)) for route in sorted(routes)]
    screen.table(_COLUMNS, rows, numbers=_NUMBERS)
    screen.line()
    attempts = _placed(report)
    width = max((len(target) for target, _, _ in attempts), default=0)
    for target in dict.fromkeys(target for target, _, _ in sorted(attempts, key=lambda one: one[1])):
        own = [(moment, attempt) for name, moment, attempt in attempts if name == target]
        screen.line(f"{target.ljust(width)}  {_timeline(own, report.seconds)}  {_counts(own)}")
    screen.line(f"{''.ljust(width)}  0 s{duration(report.seconds).rjust(_WIDTH - 5)} s")
    screen.line(_MEANING, "dim")


def _row(route: str, outcomes: list[Outcome]) -> tuple[str, ...]:
    seconds = sorted(outcome.seconds for outcome in outcomes)
    failed = Counter(outcome.error for outcome in outcomes if outcome.error is not None)
    answered = len(outcomes) - failed.total()
    attempts = sum(attempt.sent for outcome in outcomes for attempt in outcome.attempts)
    known = [outcome.cost for outcome in outcomes if outcome.cost is not None]
    return (
        route,
        str(len(outcomes)),
        f"{100 * answered / len(outcomes):.1f} %",
        f"{attempts / len(outcomes):.2f} each",
        duration(statistics.median(seconds)),
        duration(seconds[min(len(seconds) - 1, int(len(seconds) * 0.95))]),
        duration(seconds[-1]),
        money(sum(known, Decimal(0)) if known else None),
        ", ".join(f"{count} {kind}" for kind, count in failed.most_common()) or "-",
    )


def _placed(report: Report) -> list[tuple[str, float, Attempt]]:
    """Every attempt with its target, and when it began, in seconds since the drill did."""
    placed = []
    for outcome in report.outcomes:
        if outcome.attempts:
            begin = min(attempt.started_at for attempt in outcome.attempts)
            for attempt in outcome.attempts:
                moment = outcome.began + (attempt.started_at - begin).total_seconds()
                placed.append((attempt.target, moment, attempt))
    return placed


def _timeline(attempts: list[tuple[float, Attempt]], seconds: float) -> str:
    """What came of a target's attempts, by when they began."""
    slots: list[list[Attempt]] = [[] for _ in range(_WIDTH)]
    for moment, attempt in attempts:
        slots[min(_WIDTH - 1, int(moment / max(seconds, 1e-9) * _WIDTH))].append(attempt)
    return "".join(_sign(slot) for slot in slots)


def _sign(attempts: list[Attempt]) -> str:
    sent = [attempt for attempt in attempts if attempt.sent]
    if not sent:
        return "-" if attempts else "·"
    good = sum(attempt.outcome == "ok" for attempt in sent)
    return "█" if good == len(sent) else "▒" if good else "✗"


def _counts(attempts: list[tuple[float, Attempt]]) -> str:
    counted = Counter(attempt.outcome for _, attempt in attempts)
    return ", ".join(f"{count} {outcome}" for outcome, count in counted.most_common())
