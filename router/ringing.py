"""The second tasks of races under asyncio, which are not made before it is time.

Nearly all races are over by then. So that those need no timer either, all races of a layer share one: it is
set for the first of them to be due, and left alone when that one is over in time. When it rings, it looks who
is due, and is set again for the next. Rings are kept apart, so that one may come a little late. A race waits
for its second task, as a task group would.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop  # noqa: TID251 - see above
from collections.abc import Coroutine
from contextvars import Context, copy_context
from math import inf
from typing import Any, TypeVar

from .racing import Course, Race

T = TypeVar("T")

_APART = 0.01  # seconds between two rings at the least: neither a timer nor looking who is due is a trifle


Alarms = dict[Race[Any], tuple[float, Context]]
"""Races and when their second tasks are due, on the event loop's time, and in which context."""


def run(race: Race[T], after: float, course: Course) -> Coroutine[Any, Any, T]:
    """See `Race.run`."""
    bell = course.bell
    if bell is None:
        bell = course.bell = Bell()
    bell.add(race, after)
    return race.decide()


class Bell:
    """Begins the second tasks of races once they are due."""

    __slots__ = ("_due", "_loop", "_rests_until", "_rings_at")

    def __init__(self) -> None:
        self._due: Alarms = {}  # whoever is over by then takes itself out
        self._loop: AbstractEventLoop | None = None
        self._rings_at = inf
        self._rests_until = -inf  # it rings no sooner

    def add(self, race: Race[Any], after: float) -> None:
        """Begin a race's second task after so many seconds, unless it is taken out before."""
        loop = get_running_loop()
        if loop is not self._loop:  # the one before is closed, and its timer with it
            self._loop, self._rings_at, self._rests_until, self._due = loop, inf, -inf, {}
        due = loop.time() + after
        race.alarms = self._due
        self._due[race] = due, copy_context()
        if due < self._rings_at and self._rests_until < self._rings_at:
            self._set(loop, due)

    def _set(self, loop: AbstractEventLoop, due: float) -> None:
        self._rings_at = moment = max(due, self._rests_until)
        loop.call_at(moment, self._ring, loop, moment, context=Context())  # nobody's own

    def _ring(self, loop: AbstractEventLoop, moment: float) -> None:
        if moment != self._rings_at or loop is not self._loop:
            return  # another was set for an earlier time, and has seen to the rest
        self._rings_at, self._rests_until = inf, moment + _APART
        for race in [race for race, (due, _) in self._due.items() if due <= moment]:
            _, context = self._due.pop(race)
            if not race.decided:
                _begin(race, loop, context)
        if self._due:
            self._set(loop, min(due for due, _ in self._due.values()))


def _begin(race: Race[Any], loop: AbstractEventLoop, context: Context) -> None:
    beside, second = race.begins()
    task = loop.create_task(beside, context=context)
    second.task = task  # held there, for the loop itself holds it weakly
    # not by the task itself: one that is cancelled before its first step takes none
    task.add_done_callback(second.ended)
