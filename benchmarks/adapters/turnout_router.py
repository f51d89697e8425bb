"""turnout's Router as installed: a chain of two targets with deadline, retry and accounting."""

from __future__ import annotations

from typing import Any

from turnout import Router

from .. import payloads
from . import Client, Task, plain


class Turnout:
    """Without a retry where there is a backup, so that a failover goes on at once, as others' do."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def complete(self) -> str:
        """See Client."""
        answer = await self._router.complete(**{**plain.body(), "model": "benchmark"})
        return answer.text

    async def stream(self) -> int:
        """See Client."""
        texts = 0
        async with self._router.stream(**{**plain.body(), "model": "benchmark"}) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    texts += 1
        return texts

    async def close(self) -> None:
        """See Client."""
        await self._router.aclose()


def routed(task: Task, **options: Any) -> Router:
    """A router for a task."""
    shared: dict[str, Any] = {"dialect": "openai", "api_key": task.key}
    settings = {
        "providers": {
            "first": {**shared, "base_url": task.url},
            "second": {**shared, "base_url": task.backup or task.url},
        },
        "routes": {
            "benchmark": {
                "chain": [f"first/{payloads.MODEL}", f"second/{payloads.MODEL}"],
                "retry": {"attempts": 1 if task.backup else 2},
                "deadline": "60s",
            }
        },
    }
    return Router(settings, **options)


async def connect(task: Task) -> Client:
    """A client for a task."""
    return Turnout(await routed(task).__aenter__())
