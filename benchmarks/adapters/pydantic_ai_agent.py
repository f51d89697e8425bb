"""pydantic-ai's Agent, and its FallbackModel where there is a backup."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from .. import payloads
from . import Client, Task


def _model(url: str, key: str) -> Any:
    client = AsyncOpenAI(base_url=url, api_key=key, max_retries=0)
    return OpenAIChatModel(payloads.MODEL, provider=OpenAIProvider(openai_client=client))


class PydanticAI:
    """`run` and `run_stream` of an agent without tools."""

    def __init__(self, task: Task) -> None:
        system, user = (message["content"] for message in payloads.MESSAGES)
        model = _model(task.url, task.key)
        if task.backup:
            model = FallbackModel(model, _model(task.backup, task.key))
        self._agent: Any = Agent(model, system_prompt=system, model_settings=payloads.SAMPLING)
        self._asked = user

    async def complete(self) -> str:
        """See Client."""
        return str((await self._agent.run(self._asked)).output)

    async def stream(self) -> int:
        """See Client."""
        texts = 0
        async with self._agent.run_stream(self._asked) as result:
            async for text in result.stream_text(delta=True, debounce_by=None):
                texts += bool(text)
        return texts

    async def close(self) -> None:
        """It has no way to be closed."""


async def connect(task: Task) -> Client:
    """A client for a task."""
    return PydanticAI(task)
