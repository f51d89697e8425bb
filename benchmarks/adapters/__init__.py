"""One module for each client; it runs in that client's environment, which may hold nothing else.

A module has `async def connect(task) -> Client`. Each client does the same: it sends the task's messages with
temperature and max_tokens, and gives back the text, or how many pieces of text a stream had. Where the task
names a backup, a call that the first address refuses goes there: by the client's own means where it has
them, by hand where it has not. No client retries an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Task:
    """What a client is to do."""

    url: str
    """The base URL of the provider."""
    backup: str | None = None
    """The base URL to go to if the first one refuses."""
    key: str = "sk-benchmark-0000000000000000"
    """The API key, which nobody checks."""


class Client(Protocol):
    """A client that is ready for calls."""

    async def complete(self) -> str:
        """Ask once and give the text of the answer."""
        ...

    async def stream(self) -> int:
        """Ask for a stream, read it to its end, and give how many pieces of text it had."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
