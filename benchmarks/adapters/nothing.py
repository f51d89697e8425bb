"""No client at all: what the loop around calls and a transport that sends nothing take by themselves.

That is in every figure of the router over such a transport (`turnout_alone`), and no part of its share.
"""

from __future__ import annotations

from typing import NamedTuple

from turnout import ChatResponse

from .. import payloads
from . import Client, Task, plain
from .turnout_alone import Nowhere


class Asked(NamedTuple):
    """As much of a request as a transport looks at that sends nothing."""

    stream: bool = False


class Nothing:
    """Does what is outside of the router: gathers fields, takes the answer's pieces, looks at its text."""

    def __init__(self) -> None:
        self._transport = Nowhere()
        self._answer = ChatResponse.model_validate_json(payloads.completion())

    async def complete(self) -> str:
        """See Client."""
        fields = {**plain.body(), "model": "benchmark"}
        await self._taken(Asked(stream="stream" in fields))
        return self._answer.text

    async def stream(self) -> int:
        """See Client."""
        await self._taken(Asked(stream=True))
        return payloads.EVENTS

    async def close(self) -> None:
        """See Client."""

    async def _taken(self, asked: Asked) -> None:
        async with self._transport.send(asked, connect_timeout=None) as ready:
            with ready.within(60.0):
                while await ready.read():
                    pass


async def connect(task: Task) -> Client:  # noqa: ARG001 - there is nobody to speak to
    """A client for a task."""
    return Nothing()
