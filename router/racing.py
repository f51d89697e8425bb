"""Two runs for one result: a second one is begun while the first lasts, and the first to give something wins.

The first run stays in the task that asked for it, so that a race in which no second run is begun costs
little more than setting an alarm. The second runs in a task of its own, which is over before `run` is left,
however it is left: nothing outlives a race but the value that won. What a run raises comes out as it was
raised, never in a group. A caller who gives up ends both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
from sniffio import current_async_library

if TYPE_CHECKING:
    from .ringing import SetAlarm

T = TypeVar("T")

_LEAVING = 5.0  # seconds that leaving a value may take, whatever has been cancelled around it


class Race(ABC, Generic[T]):
    """One race; subclasses say what the two runs are. Made anew for each."""

    __slots__ = (
        "_begun", "_decided", "_first", "_is_over", "_over", "_runs", "_second", "_won", "failure", "task",
    )  # fmt: skip

    _first: anyio.CancelScope  # around the first run

    def __init__(self) -> None:
        self.failure: Exception | None = None
        """Why the second run gave nothing, if it was begun and failed."""
        self.task: object = None
        """The second task, where somebody has to hold it."""
        self._won: T | None = None  # what the second run gave
        self._second: anyio.CancelScope | None = None  # around the second
        self._runs = False  # whether there is a second task
        self._begun = False  # whether it has begun the second run
        self._decided = False
        self._is_over = False  # whether the second task is
        self._over: anyio.Event | None = None  # set then, where somebody waits for it

    @property
    def won_by_second(self) -> bool:
        """Whether the second run gave the value."""
        return self._won is not None

    @abstractmethod
    async def first(self) -> T:
        """The first run."""

    @abstractmethod
    def due(self) -> Callable[[], Awaitable[T]] | float | None:
        """Asked once it is time: the second run, seconds after which to ask again, or None for no second."""

    @abstractmethod
    def ends(self, error: Exception) -> bool:
        """Whether a failure of the first run ends the race, even while the second still lasts."""

    @abstractmethod
    def forgives(self, error: Exception) -> bool:
        """Whether a failure of the second run leaves the first alone."""

    @abstractmethod
    async def leave(self, value: T) -> None:
        """Leave a value that was not needed."""

    async def run(self, after: float) -> T:
        """The value of whichever run has one first; the second is begun after so many seconds.

        Raises the error of the first run where neither has a value.
        """
        self._first = anyio.CancelScope()
        set_alarm = _alarm_on(current_async_library())
        if set_alarm is None:
            return await self._grouped(after)
        alarm = set_alarm(self, after)
        try:
            return await self._decide()
        finally:
            alarm.cancel()

    def begins(self) -> Coroutine[Any, Any, None]:
        """What the second task does, from the moment the time is up; `ended` has to be called after it."""
        self._runs = True
        return self._beside()

    def ended(self, _task: object = None) -> None:
        """Take note that the second task is over."""
        self._is_over = True
        if self._over is not None:
            self._over.set()

    async def _grouped(self, after: float) -> T:
        """The race on an engine that offers nothing cheaper than a second task from the start."""
        value: T | None = None
        error: Exception | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._later, after)
                try:
                    value = await self._decide()
                except Exception as caught:  # noqa: BLE001 - raised outside: the group would wrap it
                    error = caught
                tasks.cancel_scope.cancel()
        except BaseException:
            await self._leave(value)
            raise
        if error is not None:
            try:
                raise error
            finally:
                del error
        assert value is not None  # noqa: S101 - there is one or the other
        return value

    async def _later(self, after: float) -> None:
        await anyio.sleep(after)
        try:
            await self.begins()
        finally:
            self.ended()

    async def _beside(self) -> None:
        """The second task."""
        if self._decided:
            return
        self._second = anyio.CancelScope()
        with self._second:
            try:
                while isinstance(due := self.due(), float):  # noqa: ASYNC110 - it says when to ask again
                    await anyio.sleep(due)
                if due is not None:
                    await self._compete(due)
            except Exception as error:  # noqa: BLE001 - the first task raises it, where it has to be
                self.failure = error
                if not self.forgives(error):
                    self._first.cancel()

    async def _compete(self, run: Callable[[], Awaitable[T]]) -> None:
        self._begun = True
        value = await run()
        if self._decided:
            await self._leave(value)
        else:
            self._won = value
            self._first.cancel()

    async def _decide(self) -> T:
        """The first run, and what comes of the race."""
        value: T | None = None
        error: Exception | None = None
        try:
            with self._first:
                try:
                    value = await self.first()
                except Exception as caught:  # noqa: BLE001 - raised once the second task is over
                    error = caught
            if error is not None and self._begun and not self.ends(error):
                await self._until_over()
            self._decided = True
            if self._runs:
                await self._stop()
            elif value is not None:
                return value
        except BaseException:
            self._decided = True
            try:
                await self._stop()
            finally:
                await self._leave(value)
                await self._leave(self._won)
            raise
        try:
            return await self._outcome(value, error)
        finally:
            del error  # it holds this frame, and this frame must not hold it

    async def _outcome(self, value: T | None, error: Exception | None) -> T:
        """The value that won, the other one being left; both runs are over."""
        won, failure = self._won, self.failure
        if won is None and failure is None:
            if error is not None:
                raise error
            assert value is not None  # noqa: S101 - only what the second run gave ends the first without any
            return value
        wrong = next((one for one in (error, failure) if one is not None and not self.forgives(one)), None)
        if wrong is not None:
            await self._leave(value)
            await self._leave(won)
            raise wrong
        if won is not None:
            await self._leave(value)
            return won
        if error is not None:
            raise error
        assert value is not None  # noqa: S101 - as above
        return value

    async def _stop(self) -> None:
        """End the second task, and wait until it is over; then an interruption of this wait goes on."""
        if self._second is not None:
            self._second.cancel()
        interruption: BaseException | None = None
        while self._runs and not self._is_over:
            try:
                with anyio.CancelScope(shield=True):
                    await self._until_over()
            except BaseException as caught:  # noqa: BLE001 - raised once the second task is over
                interruption = caught
        if interruption is not None:
            try:
                raise interruption
            finally:
                del interruption

    async def _until_over(self) -> None:
        if not self._is_over:
            if self._over is None:
                self._over = anyio.Event()
            await self._over.wait()

    async def _leave(self, value: T | None) -> None:
        if value is not None:
            with anyio.move_on_after(_LEAVING, shield=True):
                await self.leave(value)


@cache
def _alarm_on(library: str) -> SetAlarm | None:
    """What an engine offers that is cheaper than a second task which sleeps until it is time."""
    if library != "asyncio":
        return None
    from .ringing import set_alarm  # here: programs on trio need not import asyncio

    return set_alarm
