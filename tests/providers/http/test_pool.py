"""Connections that wait for the next request, and requests that wait for a connection."""

from __future__ import annotations

import anyio
import pytest
from scripted_connection import Scripted

from turnout.providers.http.pool import KEPT_FOR, MOST_IDLE, Pool


class Hour:
    """A clock."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_one_used_last_serves_first() -> None:
    pool, first, second = Pool(Hour()), Scripted([]), Scripted([])
    assert pool.idle
    pool.give(first)
    pool.give(second)

    assert not pool.idle
    assert pool.take() is second
    assert pool.take() is first
    assert pool.take() is None


def test_what_has_waited_too_long_or_was_hung_up_is_closed() -> None:
    clock = Hour()
    pool, old, gone, good = Pool(clock), Scripted([]), Scripted([]), Scripted([])
    pool.give(old)
    clock.now += KEPT_FOR / 2
    pool.give(good)
    pool.give(gone)
    gone.quiet = False
    assert pool.take() is good
    assert gone.closed
    assert not old.closed

    clock.now += KEPT_FOR / 2
    pool.give(good)  # the one beneath is noticed when another comes back
    assert old.closed
    clock.now += KEPT_FOR
    assert pool.take() is None
    assert good.closed


def test_no_more_wait_than_are_allowed() -> None:
    pool = Pool(Hour())
    connections = [Scripted([]) for _ in range(MOST_IDLE + 5)]
    for connection in connections:
        pool.give(connection)
    assert [connection.closed for connection in connections] == [True] * 5 + [False] * MOST_IDLE
    pool.close()
    assert all(connection.closed for connection in connections)
    late = Scripted([])
    pool.give(late)
    assert late.closed


@pytest.mark.anyio
async def test_who_comes_first_is_served_first_and_nobody_overtakes() -> None:
    pool, served = Pool(Hour(), 1), []

    async def visit(number: int) -> None:
        await pool.turn()
        served.append(number)
        await anyio.sleep(0.001)
        pool.end_turn()

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(visit, number)
            await anyio.wait_all_tasks_blocked()
    assert served == list(range(8))
    assert pool.idle
    assert not pool.is_full


@pytest.mark.anyio
async def test_a_turn_that_nobody_wants_any_more_is_passed_on() -> None:
    pool, served = Pool(Hour(), 1), []
    scopes = [anyio.CancelScope() for _ in range(3)]

    async def visit(number: int) -> None:
        with scopes[number]:
            await pool.turn()
            served.append(number)

    await pool.turn()
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(visit, number)
            await anyio.wait_all_tasks_blocked()
        scopes[0].cancel()  # while it waits
        await anyio.wait_all_tasks_blocked()
        scopes[1].cancel()  # at the very moment that its turn comes
        pool.end_turn()
        await anyio.wait_all_tasks_blocked()
    assert served == [2]
    pool.end_turn()
    assert pool.idle
