"""Two runs for one result: a second one is begun while the first lasts, and the first to give something wins.

The first run stays in the task that asked for it, so that a race in which no second run is begun costs
little more than setting an alarm; where it loses, it is called off at its waits, see `recalling`. The second
runs in a task of its own, which is over before `run` is left, however it is left: nothing outlives a race but
the value that won. What a run raises comes out as it was raised, never in a group. A caller who gives up ends
both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import anyio
from sniffio import current_async_library

from .recalling import Recall, RecalledError

if TYPE_CHECKING:
    from .ringing import Alarms, Bell

T = TypeVar("T")

_LEAVING = 5.0  # seconds that leaving a value may take, whatever has been cancelled around it


class Course:
    """Where the races of one layer are run, and what they share."""

    __slots__ = ("bell",)

    def __init__(self) -> None:
        self.bell: Bell | None = None
        """Rings for those that are due, where the event loop has timers."""


class Race(Recall, ABC, Generic[T]):
    """One race; subclasses say what the two runs are. Made anew for each.

    It is also that by which its first run is called off.
    """

    __slots__ = ("_second", "alarms", "decided")

    alarms: Alarms | None
    """Where its second task is noted that is not begun yet, if it is noted anywhere."""
    decided: bool
    """Whether a second run would come too late."""
    _second: _Second[T] | None  # made once the time is up

    @property
    def failure(self) -> Exception | None:
        """Why the second run gave nothing, if it was begun and failed."""
        return None if self._second is None else self._second.failure

    @property
    def won_by_second(self) -> bool:
        """Whether the second run gave the value."""
        return self._second is not None and self._second.won is not None

    @abstractmethod
    def first(self) -> Awaitable[T]:
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

    def run(self, after: float, course: Course) -> Coroutine[Any, Any, T]:
        """The value of whichever run has one first; the second is begun after so many seconds.

        Nothing but a timer is shared by the races of one course.
        Raises the error of the first run where neither has a value.
        """
        self.decided = self.is_recalled = False
        self._second = self.alarms = self.waits_in = None
        return _engine(current_async_library())(self, after, course)

    def begins(self) -> tuple[Coroutine[Any, Any, None], _Second[T]]:
        """What the second task does, from the moment the time is up, and what has to hear of its end."""
        self._second = second = _Second[T]()
        return self._beside(second), second

    async def _beside(self, second: _Second[T]) -> None:
        """The second task."""
        if self.decided:
            return
        second.scope = anyio.CancelScope()
        with second.scope:
            try:
                while isinstance(due := self.due(), float):  # noqa: ASYNC110 - it says when to ask again
                    await anyio.sleep(due)
                if due is not None:
                    await self._compete(due, second)
            except Exception as error:  # noqa: BLE001 - the first task raises it, where it has to be
                second.failure = error
                if not self.forgives(error):
                    self.recall()

    async def _compete(self, run: Callable[[], Awaitable[T]], second: _Second[T]) -> None:
        second.begun = True
        value = await run()
        if self.decided:
            await self.leave_any(value)
        else:
            second.won = value
            self.recall()

    async def decide(self) -> T:
        """The first run, and what comes of the race."""
        value: T | None = None
        error: Exception | None = None
        try:
            try:
                value = await self.first()
            except RecalledError:
                pass
            except Exception as caught:  # noqa: BLE001 - raised once the second task is over
                error = caught
            finally:
                self.waits_in = None
                if self.alarms is not None:
                    self.alarms.pop(self, None)
            second = self._second
            if second is not None and second.begun and error is not None and not self.ends(error):
                await second.until_over()
            self.decided = True
            if second is not None:
                await second.stop()
            elif value is not None:
                return value  # as nearly all races end
        except BaseException:
            self.decided = True
            second = self._second
            try:
                if second is not None:
                    await second.stop()
            finally:
                await self.leave_any(value)
                if second is not None:
                    await self.leave_any(second.won)
            raise
        try:
            if second is not None and (second.won is not None or second.failure is not None):
                return await self._outcome(value, error, second)
            if error is not None:
                raise error
            assert value is not None  # noqa: S101 - only what the second run gave ends the first without any
            return value
        finally:
            del error  # it holds this frame, and this frame must not hold it

    async def _outcome(self, value: T | None, error: Exception | None, second: _Second[T]) -> T:
        """The value that won, the other one being left; both runs are over."""
        won, failure = second.won, second.failure
        wrong = next((one for one in (error, failure) if one is not None and not self.forgives(one)), None)
        if wrong is not None:
            await self.leave_any(value)
            await self.leave_any(won)
            raise wrong
        if won is not None:
            await self.leave_any(value)
            return won
        if error is not None:
            raise error
        assert value is not None  # noqa: S101 - as above
        return value

    async def leave_any(self, value: T | None) -> None:
        """Leave a value that was not needed, if there is one, whatever has been cancelled."""
        if value is not None:
            with anyio.move_on_after(_LEAVING, shield=True):
                await self.leave(value)


class _Second(Generic[T]):
    """The second task of a race, from the moment the time is up."""

    __slots__ = ("_is_over", "_over", "begun", "failure", "scope", "task", "won")

    def __init__(self) -> None:
        self.task: object = None
        """The task, where somebody has to hold it."""
        self.scope: anyio.CancelScope | None = None
        """Around all that it does."""
        self.begun = False
        """Whether it has begun the second run."""
        self.won: T | None = None
        """What that gave, where the race was not decided by then."""
        self.failure: Exception | None = None
        """Why it gave nothing, if it failed."""
        self._is_over = False
        self._over: anyio.Event | None = None  # set then, where somebody waits for it

    def ended(self, _task: object = None) -> None:
        """Take note that the task is over; has to be called then."""
        self._is_over = True
        if self._over is not None:
            self._over.set()

    async def stop(self) -> None:
        """End the task, and wait until it is over; then an interruption of this wait goes on."""
        if self.scope is not None:
            self.scope.cancel()
        interruption: BaseException | None = None
        while not self._is_over:
            try:
                with anyio.CancelScope(shield=True):
                    await self.until_over()
            except BaseException as caught:  # noqa: BLE001 - raised once the task is over
                interruption = caught
        if interruption is not None:
            try:
                raise interruption
            finally:
                del interruption

    async def until_over(self) -> None:
        """Wait until the task is over."""
        if not self._is_over:
            if self._over is None:
                self._over = anyio.Event()
            await self._over.wait()


class _Engine(Protocol):
    """Runs a race, and begins its second task once it is time."""

    def __call__(self, race: Race[T], after: float, course: Course) -> Coroutine[Any, Any, T]: ...


@cache
def _engine(library: str) -> _Engine:
    """The way in which races are run under an event loop; programs on one need not import the other."""
    if library == "asyncio":
        from . import ringing

        return ringing.run
    from . import waking

    return waking.run
