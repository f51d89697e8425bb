"""any-llm, with one client kept for all calls."""

from __future__ import annotations

from any_llm import AnyLLM

from . import Client, Task, plain


class AnyLlm:
    """It has no failover: a task with a backup is refused."""

    def __init__(self, task: Task) -> None:
        if task.backup:
            raise NotImplementedError("no failover of its own")
        self._client = AnyLLM.create("openai", api_key=task.key, api_base=task.url)

    async def complete(self) -> str:
        """See Client."""
        answer = await self._client.acompletion(**plain.body())
        return str(answer.choices[0].message.content)

    async def stream(self) -> int:
        """See Client."""
        texts = 0
        async for chunk in await self._client.acompletion(**plain.body(stream=True)):
            if chunk.choices and chunk.choices[0].delta.content:
                texts += 1
        return texts

    async def close(self) -> None:
        """It has no way to be closed."""


async def connect(task: Task) -> Client:
    """A client for a task."""
    return AnyLlm(task)
