"""aiohttp alone."""

from __future__ import annotations

import aiohttp

from . import Client, Task, plain


class Aiohttp:
    """`post` and `json.loads`; streams through `iter_any`."""

    def __init__(self, task: Task) -> None:
        self._session = aiohttp.ClientSession(
            headers={"authorization": f"Bearer {task.key}"},
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._url = task.url + plain.PATH
        self._backup = task.backup and task.backup + plain.PATH

    async def complete(self) -> str:
        """See Client."""
        async with self._session.post(self._url, json=plain.body()) as response:
            answer = await response.read()
            if not (self._backup and plain.refused(response.status)):
                response.raise_for_status()
                return plain.text_of(answer)
        async with self._session.post(self._backup, json=plain.body()) as response:
            response.raise_for_status()
            return plain.text_of(await response.read())

    async def stream(self) -> int:
        """See Client."""
        texts, events = 0, plain.Events()
        async with self._session.post(self._url, json=plain.body(stream=True)) as response:
            async for data in response.content.iter_any():
                texts += events.texts_in(data)
        return texts

    async def close(self) -> None:
        """See Client."""
        await self._session.close()


async def connect(task: Task) -> Client:
    """A client for a task."""
    return Aiohttp(task)
