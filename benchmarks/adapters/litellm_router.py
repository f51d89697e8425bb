"""litellm's Router with two deployments, the second one the fallback of the first."""

from __future__ import annotations

import os

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it fetches a list when it is imported

import litellm
from litellm import Router

from .. import payloads
from . import Client, Task, plain

litellm.telemetry = False
litellm.suppress_debug_info = True


class Litellm:
    """Without retries, and without the cool-down that would keep later calls from the address that fails."""

    def __init__(self, task: Task) -> None:
        urls = {"first": task.url, "second": task.backup or task.url}
        deployments = [
            {
                "model_name": name,
                "litellm_params": {
                    "model": f"openai/{payloads.MODEL}",
                    "api_base": url,
                    "api_key": task.key,
                    "max_retries": 0,
                },
            }
            for name, url in urls.items()
        ]
        self._router = Router(
            model_list=deployments, fallbacks=[{"first": ["second"]}], num_retries=0, disable_cooldowns=True
        )

    async def complete(self) -> str:
        """See Client."""
        answer = await self._router.acompletion(**{**plain.body(), "model": "first"})
        return str(answer.choices[0].message.content)

    async def stream(self) -> int:
        """See Client."""
        texts = 0
        async for chunk in await self._router.acompletion(**{**plain.body(stream=True), "model": "first"}):
            if chunk.choices and chunk.choices[0].delta.content:
                texts += 1
        return texts

    async def close(self) -> None:
        """It has no way to be closed."""


async def connect(task: Task) -> Client:
    """A client for a task."""
    return Litellm(task)
