"""httpx2 alone."""

from __future__ import annotations

import httpx2

from . import Client, Task
from .httpx_like import HttpxLike


async def connect(task: Task) -> Client:
    """A client for a task."""
    return HttpxLike(httpx2, task)
