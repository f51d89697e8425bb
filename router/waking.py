"""The second task of a race under trio, which is woken early where it is not needed, and so never cancelled.

Under trio only tasks can wait, so one sleeps beside each first run. It costs half of what it would if it had
to be cancelled, which every one of them would feel that is not needed, and nearly all are not.
"""

from __future__ import annotations

from typing import Any, TypeVar

import trio

from .racing import Course, Race

T = TypeVar("T")


async def run(race: Race[T], after: float, course: Course) -> T:  # noqa: ARG001 - others need it
    """See `Race.run`."""
    value: T | None = None
    error: BaseException | None = None
    over = trio.Event()
    try:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(_later, race, after, over)
            try:
                value = await race.decide()
            except BaseException as caught:  # noqa: BLE001 - raised outside: the nursery would wrap it
                error = caught
            over.set()
    except BaseException as caught:  # noqa: BLE001 - as above
        await race.leave_any(value)
        error = _alone(caught)
    if error is not None:
        try:
            raise error
        finally:
            del error
    assert value is not None  # noqa: S101 - there is one or the other
    return value


async def _later(race: Race[Any], after: float, over: trio.Event) -> None:
    if over.is_set():
        return
    with trio.move_on_after(after):
        await over.wait()
        return
    beside, second = race.begins()
    try:
        await beside
    finally:
        second.ended()


def _alone(error: BaseException) -> BaseException:
    """What a nursery wrapped; something else goes before having been cancelled."""
    while isinstance(error, BaseExceptionGroup):
        _, others = error.split(trio.Cancelled)
        error = (error if others is None else others).exceptions[0]
    return error
