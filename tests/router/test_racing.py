"""Two runs for one result: who wins, what is left of the other, and what comes out when things go wrong."""

from __future__ import annotations

import asyncio  # noqa: TID251 - what only asyncio does is tested too
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import anyio
import pytest
import trio
from virtual_time import run_virtually

from turnout.racing import Course, Race
from turnout.recalling import waiting
from turnout.ringing import Bell

Run = Callable[[], Awaitable[str]]


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class SoftError(Exception):
    """A failure that the other run may make up for."""


class HardError(Exception):
    """A failure that ends the race."""


class FaultError(Exception):
    """A fault of the program."""


class Two(Race[str]):
    """A race whose runs are two functions."""

    def __init__(self, first: Run, second: Run | None = None, *, ask_again: float = 0.0) -> None:
        super().__init__()
        self._run_first, self._run_second = first, second
        self._ask_again = ask_again
        self.asked: list[float] = []
        self.left: list[str] = []

    async def first(self) -> str:
        with waiting(self):
            return await self._run_first()

    def due(self) -> Run | float | None:
        self.asked.append(anyio.current_time())
        if self._ask_again and len(self.asked) == 1:
            return self._ask_again
        return self._run_second

    def ends(self, error: Exception) -> bool:
        return not isinstance(error, SoftError)

    def forgives(self, error: Exception) -> bool:
        return not isinstance(error, FaultError)

    async def leave(self, value: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.left.append(value)


class Gives:
    """A run that gives its name, or fails, after so many seconds; it takes note of how it ended."""

    def __init__(
        self, name: str, seconds: float, error: Exception | None = None, *, cleaning: float = 0.0
    ) -> None:
        self.name, self.seconds, self.error, self.cleaning = name, seconds, error, cleaning
        self.ended: str | None = None

    async def __call__(self) -> str:
        try:
            await anyio.sleep(self.seconds)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(self.cleaning)
            self.ended = f"cancelled at {anyio.current_time():g}"
            raise
        self.ended = f"done at {anyio.current_time():g}"
        if self.error is not None:
            raise self.error
        return self.name


def outcome(race: Race[str], backend: str, after: float = 1.0, give_up: float | None = None) -> object:
    """What a race gives or raises, and when it is over; checks that nothing goes on afterwards."""

    async def program() -> object:
        before = len(anyio.get_running_tasks())
        result: object
        try:
            with anyio.move_on_after(float("inf") if give_up is None else give_up) as scope:
                result = await race.run(after, Course())
        except Exception as error:  # noqa: BLE001 - whatever it is
            result = type(error)
        if scope.cancelled_caught:
            result = "given up"
        over = anyio.current_time()
        assert len(anyio.get_running_tasks()) == before
        await anyio.sleep(100)  # whatever was set to happen later does so now
        return result, over

    return run_virtually(program, backend)


def test_a_quick_first_run_is_alone(backend: str) -> None:
    race = Two(Gives("first", 0.5), Gives("second", 0))
    assert outcome(race, backend) == ("first", 0.5)
    assert race.asked == race.left == []
    assert not race.won_by_second


def test_the_second_run_may_win(backend: str) -> None:
    first = Gives("first", 9)
    race = Two(first, Gives("second", 2))
    assert outcome(race, backend) == ("second", 3)
    assert first.ended == "cancelled at 3"
    assert race.won_by_second


def test_the_first_run_may_still_win(backend: str) -> None:
    second = Gives("second", 9)
    race = Two(Gives("first", 3), second)
    assert outcome(race, backend) == ("first", 3)
    assert second.ended == "cancelled at 3"


def test_the_loser_is_waited_for(backend: str) -> None:
    for first, second in [
        (Gives("a", 2), Gives("b", 9, cleaning=5)),
        (Gives("a", 9, cleaning=5), Gives("b", 1)),
    ]:
        winner = "a" if first.seconds == 2 else "b"
        assert outcome(Two(first, second), backend) == (winner, 7)


def test_where_nobody_is_to_be_asked_the_first_goes_on(backend: str) -> None:
    race = Two(Gives("first", 5))
    assert outcome(race, backend) == ("first", 5)
    assert race.asked == [1]


def test_it_may_be_asked_again_later(backend: str) -> None:
    race = Two(Gives("first", 9), Gives("second", 1), ask_again=2.5)
    assert outcome(race, backend) == ("second", 4.5)
    assert race.asked == [1, 3.5]
    assert outcome(Two(Gives("first", 2), Gives("second", 1), ask_again=2.5), backend) == ("first", 2)
    assert outcome(Two(Gives("first", 2, SoftError()), Gives("b", 1), ask_again=2.5), backend) == (
        SoftError,
        2,
    )


def test_of_two_values_one_is_left(backend: str) -> None:
    """Both runs end in the same moment."""
    race = Two(Gives("first", 3), Gives("second", 2))
    result = outcome(race, backend)
    assert result in (("first", 3), ("second", 3))
    assert set(race.left) < {"first", "second"}


def test_a_value_that_comes_although_it_was_called_off_is_left(backend: str) -> None:
    async def stubborn() -> str:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(4)
        return "second"

    race = Two(Gives("first", 2), stubborn)
    assert outcome(race, backend) == ("first", 5)
    assert race.left == ["second"]


def test_a_first_value_that_comes_although_it_lost_is_left(backend: str) -> None:
    async def stubborn() -> str:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(4)
        return "first"

    race = Two(stubborn, Gives("second", 1))
    assert outcome(race, backend) == ("second", 4)
    assert race.left == ["first"]


@pytest.mark.parametrize("second", [None, Gives("second", 9, SoftError())])
def test_an_error_of_the_first_alone_is_its_own(backend: str, second: Run | None) -> None:
    assert outcome(Two(Gives("first", 0.5, SoftError()), second), backend) == (SoftError, 0.5)


def test_a_failed_first_run_waits_for_the_second(backend: str) -> None:
    assert outcome(Two(Gives("first", 2, SoftError()), Gives("second", 3)), backend) == ("second", 4)


def test_a_failure_that_ends_the_race_waits_for_nobody(backend: str) -> None:
    second = Gives("second", 3)
    assert outcome(Two(Gives("first", 2, HardError()), second), backend) == (HardError, 2)
    assert second.ended == "cancelled at 2"


def test_a_failed_second_run_is_no_failure(backend: str) -> None:
    race = Two(Gives("first", 5), Gives("second", 1, HardError()))
    assert outcome(race, backend) == ("first", 5)
    assert isinstance(race.failure, HardError)


@pytest.mark.parametrize(("first", "over"), [(2, 4), (6, 6)])
def test_where_both_fail_the_error_is_that_of_the_first(backend: str, first: float, over: float) -> None:
    assert outcome(Two(Gives("a", first, SoftError()), Gives("b", 3, HardError())), backend) == (
        SoftError,
        over,
    )


def test_a_fault_in_the_second_run_is_not_silenced(backend: str) -> None:
    first = Gives("first", 5)
    assert outcome(Two(first, Gives("second", 1, FaultError())), backend) == (FaultError, 2)
    assert first.ended == "cancelled at 2"


def test_a_fault_in_asking_is_not_silenced(backend: str) -> None:
    class Broken(Two):
        def due(self) -> Run | float | None:
            raise FaultError

    assert outcome(Broken(Gives("first", 5)), backend) == (FaultError, 1)


def test_a_fault_while_losing_is_not_silenced(backend: str) -> None:
    async def breaks() -> str:
        try:
            await anyio.sleep(9)
        finally:
            raise FaultError

    race = Two(breaks, Gives("second", 1))
    assert outcome(race, backend) == (FaultError, 2)
    assert race.left == ["second"]


@pytest.mark.parametrize("give_up", [0.5, 1.0, 2.0, 2.5])
def test_giving_up_ends_both(backend: str, give_up: float) -> None:
    first, second = Gives("first", 9), Gives("second", 8)
    race = Two(first, second)
    assert outcome(race, backend, give_up=give_up) == ("given up", give_up)
    assert first.ended == f"cancelled at {give_up:g}"
    if give_up > 1:
        assert second.ended == first.ended


def test_giving_up_while_only_the_second_lasts_ends_it(backend: str) -> None:
    second = Gives("second", 9)
    assert outcome(Two(Gives("first", 2, SoftError()), second), backend, give_up=3) == ("given up", 3)
    assert second.ended == "cancelled at 3"


def test_giving_up_while_the_loser_clears_up_loses_no_value(backend: str) -> None:
    """The value has won, and whoever gave up hears of it at the next wait."""
    race = Two(Gives("first", 2), Gives("second", 9, cleaning=5))

    async def program() -> str:
        with anyio.move_on_after(3):
            return await race.run(1, Course())
        return "lost"

    assert run_virtually(program, backend) == "first" or race.left == ["first"]


def test_being_cancelled_by_asyncio_itself_leaves_nothing() -> None:
    """`Task.cancel` knows no shields: it comes while the loser clears up, and the value is left."""

    async def program(at: float) -> list[str]:
        race = Two(Gives("first", 2), Gives("second", 9, cleaning=5))
        task = asyncio.get_running_loop().create_task(race.run(1, Course()))
        await anyio.sleep(at)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert anyio.current_time() == (at if at < 1 else 6.5 if at < 2 else 7)
        assert len(anyio.get_running_tasks()) == 1
        return race.left

    assert run_virtually(lambda: program(0.5), "asyncio") == []
    assert run_virtually(lambda: program(1.5), "asyncio") == []
    assert run_virtually(lambda: program(3), "asyncio") == ["first"]


def test_an_event_loop_that_is_shut_down_waits_for_no_second_task() -> None:
    """All tasks are cancelled at once there, even one that has not taken its first step."""

    async def program() -> None:
        race = Two(Gives("first", 2), Gives("second", 9))
        task = asyncio.get_running_loop().create_task(race.run(1, Course()))
        await anyio.sleep(0.5)
        while len(asyncio.all_tasks()) < 3:
            await anyio.lowlevel.checkpoint() if anyio.current_time() >= 1 else await anyio.sleep(0.5)
        for one in asyncio.all_tasks() - {asyncio.current_task()}:
            one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert anyio.current_time() == 1

    run_virtually(program, "asyncio")


def test_what_breaks_the_second_task_under_trio_is_in_no_group() -> None:
    class StopError(BaseException):
        """Nobody forgives it, and nobody catches it."""

    async def program() -> None:
        first = Gives("first", 9)
        with pytest.raises(StopError):
            await Two(first, Gives("second", 1, StopError())).run(1, Course())  # type: ignore[arg-type]  # on purpose
        assert first.ended == "cancelled at 2"

    run_virtually(program, "trio")


def test_a_caller_under_trio_who_gives_up_is_told_so_in_no_group() -> None:
    async def program() -> None:
        for after in (1, 5):  # with a second run under way, and before there is one
            with trio.move_on_after(3) as scope:
                with pytest.raises(trio.Cancelled):
                    await Two(Gives("first", 9), Gives("second", 9)).run(after, Course())
                await trio.lowlevel.checkpoint()
            assert scope.cancelled_caught

    run_virtually(program, "trio")


def test_what_the_caller_has_set_is_known_to_both_and_stays_as_it_was(backend: str) -> None:
    who = ContextVar("who", default="nobody")
    seen = []

    async def tells() -> str:
        seen.append(who.get())
        who.set("somebody else")
        await anyio.sleep(2)
        return "told"

    async def program() -> str:
        who.set("the caller")
        return await Two(tells, tells).run(1, Course())

    run_virtually(program, backend)
    assert seen[0] == "the caller"
    assert len(seen) == 2


def test_races_of_one_course_begin_each_when_it_is_due_and_as_their_own_caller(backend: str) -> None:
    who = ContextVar("who", default="nobody")
    begun: list[tuple[str, float]] = []
    course = Course()

    async def call(name: str, comes: float, after: float, takes: float) -> None:
        async def second() -> str:
            begun.append((who.get(), anyio.current_time()))
            return name

        await anyio.sleep(comes)
        who.set(name)
        await Two(Gives(name, takes), second).run(after, course)

    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, "patient", 0, 5, 9)
            tasks.start_soon(call, "hasty", 1, 1, 9)
            tasks.start_soon(call, "quick", 1, 2, 1)
            tasks.start_soon(call, "late", 3, 2, 9)
            tasks.start_soon(call, "afterwards", 6, 1, 9)

    run_virtually(program, backend)
    assert sorted(begun, key=lambda one: one[::-1]) == [
        ("hasty", 2),
        ("late", 5),
        ("patient", 5),
        ("afterwards", 7),
    ]


def test_a_course_may_move_to_another_event_loop(backend: str) -> None:
    """What was set in the one before is forgotten with it."""
    course = Course()
    for _ in range(2):
        race = Two(Gives("first", 0.5), Gives("second", 0))
        assert run_virtually(lambda race=race: race.run(1, course), backend) == "first"  # type: ignore[misc]
        race = Two(Gives("first", 9), Gives("second", 1))
        assert run_virtually(lambda race=race: race.run(1, course), backend) == "second"  # type: ignore[misc]


def test_in_a_crowd_that_stalls_everybody_gets_a_second_run(backend: str) -> None:
    course = Course()
    won: list[float] = []

    async def call(number: int) -> None:
        await anyio.sleep(number / 1000)
        await Two(Gives("first", 9), Gives("second", 0)).run(1, course)
        won.append(anyio.current_time() - number / 1000 - 1)

    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(call, number)

    run_virtually(program, backend)
    assert len(won) == 100
    assert -1e-9 < min(won) <= max(won) < 0.011


def test_quick_races_one_after_another_set_few_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    moments: list[float] = []
    ring = Bell._set

    def counted(bell: Bell, loop: asyncio.AbstractEventLoop, due: float) -> None:
        moments.append(due)
        ring(bell, loop, due)

    async def program() -> None:
        course = Course()
        for _ in range(100):
            assert await Two(Gives("first", 0)).run(0.0001, course) == "first"
            await anyio.sleep(0.0005)

    monkeypatch.setattr(Bell, "_set", counted)
    run_virtually(program, "asyncio")
    assert 1 < len(moments) < 10


def test_no_scope_is_left_around_the_caller(backend: str) -> None:
    async def program() -> float:
        with anyio.move_on_after(50):
            await Two(Gives("first", 9), Gives("second", 1)).run(1, Course())
            deadline = anyio.current_effective_deadline()
            await anyio.sleep(1)
            return deadline
        raise AssertionError

    assert run_virtually(program, backend) == 50
