"""One question put to a router, whole or as a stream that is read to its end."""

from __future__ import annotations

from typing import Any

from turnout import Router
from turnout.providers.chat import ChatResponse


async def ask(router: Router, *, streaming: bool, **fields: Any) -> ChatResponse:
    """The answer, which is the same either way."""
    if not streaming:
        return await router.complete(**fields)
    async with router.stream(**fields) as stream:
        async for _ in stream:
            pass
    return stream.response
