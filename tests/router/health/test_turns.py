"""Turns and lines: no more than may run, first come first served, nothing left by those who leave."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import VirtualClock, run_virtually

from turnout.health.turns import Line, Turns

TENTHS = st.integers(0, 20).map(lambda tenths: tenths / 10)


@dataclass(frozen=True)
class Visit:
    """Somebody who takes a turn."""

    comes: float
    stays: float
    patience: float


VISITS = st.lists(st.builds(Visit, TENTHS, TENTHS, TENTHS), min_size=1, max_size=12)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(places=st.integers(1, 3), visits=VISITS)
def test_turns_are_given_in_order_and_never_too_many(backend: str, places: int, visits: list[Visit]) -> None:
    turns = Turns(places)
    running: list[int] = []
    waited: list[int] = []
    served: dict[int, float] = {}

    async def visit(number: int, one: Visit) -> None:
        await anyio.sleep(one.comes)
        if turns.taken >= places or turns.waiting:
            waited.append(number)
        with anyio.move_on_after(one.patience):
            await turns.take()
            served[number] = anyio.current_time()
            running.append(number)
            try:
                assert len(running) <= turns.taken <= places
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(one.stays)
            finally:
                running.remove(number)
                turns.over()

    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            for number, one in enumerate(visits):
                tasks.start_soon(visit, number, one)

    run_virtually(program, backend)

    moments = [served[number] for number in waited if number in served]
    assert moments == sorted(moments)  # trio wakes those of one moment in any order
    assert (turns.taken, turns.waiting) == (0, 0)


@pytest.mark.anyio
async def test_a_turn_that_comes_too_late_goes_to_the_next() -> None:
    turns = Turns(1)
    assert turns.at_once()
    assert not turns.at_once()
    got: list[str] = []

    async def wait(name: str, scope: anyio.CancelScope) -> None:
        with scope:
            await turns.take()
            got.append(name)
            turns.over()

    async with anyio.create_task_group() as tasks:
        left, patient = anyio.CancelScope(), anyio.CancelScope()
        tasks.start_soon(wait, "left", left)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(wait, "patient", patient)
        await anyio.wait_all_tasks_blocked()
        assert turns.waiting == 2
        left.cancel()
        turns.over()  # hands the turn to the one that is cancelled before it wakes

    assert got == ["patient"]
    assert (turns.taken, turns.waiting) == (0, 0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(
    visits=st.lists(st.tuples(TENTHS, TENTHS), min_size=1, max_size=8),
    nudges=st.lists(TENTHS, max_size=4),
)
def test_only_the_first_in_line_looks(
    backend: str, visits: list[tuple[float, float]], nudges: list[float]
) -> None:
    line, clock = Line(), VirtualClock()
    joined: list[int] = []
    first: list[int] = []

    async def wait(number: int, comes: float, patience: float) -> None:
        await anyio.sleep(comes)
        place = line.join()
        joined.append(number)
        try:
            with anyio.move_on_after(patience):
                await place.first()
                first.append(number)
                began = clock.monotonic()
                await place.pause(0.3, clock)
                assert clock.monotonic() - began <= 0.3 + 1e-6
        finally:
            place.leave()

    async def nudge(after: float) -> None:
        await anyio.sleep(after)
        line.nudge()

    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            for number, (comes, patience) in enumerate(visits):
                tasks.start_soon(wait, number, comes, patience)
            for after in nudges:
                tasks.start_soon(nudge, after)

    run_virtually(program, backend)

    assert first == [number for number in joined if number in first]
    assert len(line) == 0
