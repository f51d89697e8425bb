"""The second task of a race under asyncio, which is not made before the time is up.

Nearly all races are over by then; those had an entry in the event loop's table of timers, at a tenth of what
a task costs that sleeps until it is needed. The race waits for its second task, as a task group would.
"""

from __future__ import annotations

from asyncio import get_running_loop  # noqa: TID251 - see above
from functools import cache
from typing import Any, TypeVar

from anyio import CancelScope

from .racing import Race

T = TypeVar("T")


async def run(race: Race[T], after: float) -> T:
    """See `Race.run`."""
    race.around_first = _kind_of_scope()()
    alarm = get_running_loop().call_later(after, _ring, race)
    try:
        return await race.decide()
    finally:
        alarm.cancel()


def _ring(race: Race[Any]) -> None:
    if race.decided:
        return
    beside, second = race.begins()
    task = get_running_loop().create_task(beside)
    second.task = task  # held there, for the loop itself holds it weakly
    # not by the task itself: one that is cancelled before its first step takes none
    task.add_done_callback(second.ended)


@cache
def _kind_of_scope() -> type[CancelScope]:
    """The scopes of this engine, which anyio would look up for each of them."""
    return type(CancelScope())
