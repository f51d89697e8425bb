"""A run that is called off hears of it where it waits, or else at its next wait."""

from __future__ import annotations

import anyio
import pytest

from turnout.recalling import Recall, RecalledError, waiting

pytestmark = pytest.mark.anyio


class Wait:
    """A wait that knows how to end itself."""

    recalled = False

    def recall(self) -> None:
        self.recalled = True


async def recalled_after(recall: Recall, seconds: float) -> None:
    await anyio.sleep(seconds)
    recall.recall()


async def test_a_wait_is_ended() -> None:
    recall = Recall()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(recalled_after, recall, 0.01)
            with pytest.raises(RecalledError):
                with waiting(recall):
                    await anyio.sleep(30)
        await anyio.lowlevel.checkpoint()  # nothing is left of it


async def test_a_run_that_was_called_off_waits_no_more() -> None:
    recall = Recall()
    recall.recall()
    with pytest.raises(RecalledError):
        with waiting(recall):
            raise AssertionError
    with pytest.raises(RecalledError):
        recall.waits(Wait())


async def test_what_has_come_in_the_same_moment_is_not_lost() -> None:
    """Only the next wait ends."""
    recall = Recall()
    with waiting(recall):
        recall.recall()
        found = "a value"
    assert found == "a value"
    with pytest.raises(RecalledError):
        with waiting(recall):
            raise AssertionError


async def test_the_wait_that_goes_on_is_the_one_that_is_told() -> None:
    recall, outer = Recall(), Wait()
    recall.waits(outer)
    with waiting(recall):
        await anyio.lowlevel.checkpoint()
    recall.recall()
    assert outer.recalled


async def test_who_gives_up_is_not_called_off() -> None:
    recall = Recall()
    with anyio.move_on_after(0.01) as scope:
        with waiting(recall):
            await anyio.sleep(30)
    assert scope.cancelled_caught
    assert recall.waits_in is None


async def test_what_is_shielded_ends_first() -> None:
    recall, ended = Recall(), False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recalled_after, recall, 0.01)
        with pytest.raises(RecalledError):
            with waiting(recall):
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.05)
                    ended = True
                await anyio.sleep(30)
    assert ended


async def test_a_failure_is_the_waits_own() -> None:
    recall = Recall()
    with pytest.raises(ZeroDivisionError):
        with waiting(recall):
            raise ZeroDivisionError
    assert recall.waits_in is None


async def test_a_run_that_nobody_can_call_off_waits_as_ever() -> None:
    with waiting(None):
        await anyio.lowlevel.checkpoint()
