"""Functions that a route may name under `reject`."""

from __future__ import annotations

import anyio

from turnout import ChatResponse

WORDS = ("certainly", "As an AI")
"""What nobody wants to read."""


def has_worn_words(response: ChatResponse) -> bool:
    """Whether an answer holds one of the words."""
    return any(word in response.text for word in WORDS)


async def is_too_short(response: ChatResponse) -> str | None:
    """Why an answer is too short; None where it is not."""
    size = len(response.text)
    return f"only {size} characters from {response.provider}" if size < 10 else None


async def ponders(response: ChatResponse) -> bool:
    """Comes to no decision about what provider `a` says, and takes anything else."""
    if response.provider == "a":
        await anyio.sleep(30)
    return False


def breaks(response: ChatResponse) -> bool:
    """Fails, as functions do."""
    return response.choices[7].index == 0


class Grader:
    """Takes what has at least so many words."""

    def __init__(self, least: int) -> None:
        self._least = least

    async def __call__(self, response: ChatResponse) -> bool:
        """Whether there are too few."""
        return len(response.text.split()) < self._least


needs_two_words = Grader(2)
