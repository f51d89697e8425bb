"""The two event loops, as far as a measurement needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

Work = Callable[[], Awaitable[Any]]
"""Something to await, anew at every call."""


class Engine(Protocol):
    """Runs tasks side by side."""

    def run(self, work: Work) -> None:
        """Run a program to its end."""
        ...

    async def together(self, work: Work, tasks: int, seconds: float) -> bool:
        """Run some tasks of one kind; False if they had to be cancelled since they took too long."""
        ...


class Asyncio:
    """The standard library's."""

    def run(self, work: Work) -> None:
        """See Engine."""

        async def program() -> None:
            await work()

        asyncio.run(program())

    async def together(self, work: Work, tasks: int, seconds: float) -> bool:
        """See Engine."""

        async def one() -> None:
            await work()

        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*[one() for _ in range(tasks)])
        except TimeoutError:
            return False
        return True


class Trio:
    """trio, which is imported here since most environments do not have it."""

    def __init__(self) -> None:
        import trio

        self._trio = trio

    def run(self, work: Work) -> None:
        """See Engine."""
        self._trio.run(work)

    async def together(self, work: Work, tasks: int, seconds: float) -> bool:
        """See Engine."""
        with self._trio.move_on_after(seconds) as scope:
            async with self._trio.open_nursery() as nursery:
                for _ in range(tasks):
                    nursery.start_soon(work)
        return not scope.cancelled_caught


def engine(name: str) -> Engine:
    """The engine of a name."""
    return Trio() if name == "trio" else Asyncio()
