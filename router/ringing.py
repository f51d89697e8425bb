"""An alarm for a race under asyncio, at a tenth of what a second task costs that sleeps until it is needed.

Nearly all races are over before the alarm rings; then it was one entry in the event loop's table of timers.
Only when it rings is the second task made. The race waits for it, as a task group would.
"""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop  # noqa: TID251 - see above
from collections.abc import Callable
from typing import Any

from .racing import Race

SetAlarm = Callable[[Race[Any], float], TimerHandle]
"""Begins a race's second task after so many seconds, unless what it gives is cancelled before."""


def set_alarm(race: Race[Any], after: float) -> TimerHandle:
    """See `SetAlarm`."""
    return get_running_loop().call_later(after, _ring, race)


def _ring(race: Race[Any]) -> None:
    task = get_running_loop().create_task(race.begins())
    race.task = task  # held there, for the loop itself holds it weakly
    # not by the task itself: one that is cancelled before its first step takes none
    task.add_done_callback(race.ended)
