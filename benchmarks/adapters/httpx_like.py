"""httpx and httpx2 have one interface: a client for either, used as their documentation shows."""

from __future__ import annotations

from typing import Any

from . import Task, plain


class HttpxLike:
    """`post` and `json.loads`; streams through `aiter_lines`."""

    def __init__(self, module: Any, task: Task) -> None:
        self._client = module.AsyncClient(
            headers={"authorization": f"Bearer {task.key}"},
            limits=module.Limits(max_connections=None, max_keepalive_connections=1000),
            timeout=60.0,
        )
        self._url = task.url + plain.PATH
        self._backup = task.backup and task.backup + plain.PATH

    async def complete(self) -> str:
        """See Client."""
        response = await self._client.post(self._url, json=plain.body())
        if self._backup and plain.refused(response.status_code):
            response = await self._client.post(self._backup, json=plain.body())
        response.raise_for_status()
        return plain.text_of(response.content)

    async def stream(self) -> int:
        """See Client."""
        texts = 0
        async with self._client.stream("POST", self._url, json=plain.body(stream=True)) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: ") and plain.has_text(line[6:]):
                    texts += 1
        return texts

    async def close(self) -> None:
        """See Client."""
        await self._client.aclose()
