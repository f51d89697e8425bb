"""The openai SDK's AsyncOpenAI."""

from __future__ import annotations

from typing import Any

import openai

from . import Client, Task, plain


class OpenAI:
    """One client for each address; failover is by hand, as the SDK has none."""

    def __init__(self, task: Task) -> None:
        urls = [task.url, *([task.backup] if task.backup else [])]
        self._clients: list[Any] = [
            openai.AsyncOpenAI(base_url=url, api_key=task.key, max_retries=0) for url in urls
        ]

    async def complete(self) -> str:
        """See Client."""
        try:
            answer = await self._clients[0].chat.completions.create(**plain.body())
        except (openai.RateLimitError, openai.InternalServerError):
            answer = await self._clients[1].chat.completions.create(**plain.body())
        return str(answer.choices[0].message.content)

    async def stream(self) -> int:
        """See Client."""
        texts = 0
        async for chunk in await self._clients[0].chat.completions.create(**plain.body(stream=True)):
            if chunk.choices and chunk.choices[0].delta.content:
                texts += 1
        return texts

    async def close(self) -> None:
        """See Client."""
        for client in self._clients:
            await client.close()


async def connect(task: Task) -> Client:
    """A client for a task."""
    return OpenAI(task)
