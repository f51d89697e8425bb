"""An alarm for a race under asyncio, at a tenth of what a second task costs that sleeps until it is needed.

Nearly all races are over before the alarm rings; then it was one entry in the event loop's table of timers.
Only when it rings is the second task made. The race waits for it, as a task group would.
"""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop  # noqa: TID251 - see above
from collections.abc import Callable
from functools import cache
from typing import Any

from anyio import CancelScope

from .racing import Race

SetAlarm = Callable[[Race[Any], float], tuple[CancelScope, TimerHandle]]
"""Begins a race's second task after so many seconds, unless the timer is cancelled before; the scope is for
the first run."""


def set_alarm(race: Race[Any], after: float) -> tuple[CancelScope, TimerHandle]:
    """See `SetAlarm`."""
    return _kind_of_scope()(), get_running_loop().call_later(after, _ring, race)


@cache
def _kind_of_scope() -> type[CancelScope]:
    """The scopes of this engine, which anyio would look up for each of them."""
    return type(CancelScope())


def _ring(race: Race[Any]) -> None:
    if race.decided:
        return
    beside, second = race.begins()
    task = get_running_loop().create_task(beside)
    second.task = task  # held there, for the loop itself holds it weakly
    # not by the task itself: one that is cancelled before its first step takes none
    task.add_done_callback(second.ended)
