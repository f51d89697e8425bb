"""How a run of a call is called off while another goes on: where it waits, or else at its next wait.

A cancel scope around the run would know of all its waits by itself, and would be a third of what a hedge
costs each call, while nearly none is called off. So whoever waits inside such a run says so: attempts, by
their limits, and the few other waits by `waiting`. A wait of which nobody says so only lasts to its own end.
What the run then hears is no error but an end, like a cancellation: it goes through whatever clears up, and
nobody catches it but the race that called the run off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import anyio


class RecalledError(BaseException):
    """The run was called off."""


class Wait(Protocol):
    """A wait of a run, or several of them."""

    def recall(self) -> None:
        """End the wait that goes on, and at once those that would follow, by a RecalledError."""
        ...


class Recall:
    """By which a run is called off."""

    __slots__ = ("is_recalled", "waits_in")

    def __init__(self) -> None:
        self.is_recalled = False
        """Whether it was."""
        self.waits_in: Wait | None = None
        """Where the run waits, or did last."""

    def recall(self) -> None:
        """Call the run off."""
        self.is_recalled = True
        if self.waits_in is not None:
            self.waits_in.recall()

    def waits(self, wait: Wait) -> None:
        """Take note of where the run waits from now on; RecalledError if it need not any more."""
        if self.is_recalled:
            raise RecalledError
        self.waits_in = wait


def waiting(recall: Recall | None) -> AbstractContextManager[None]:
    """Around a wait of a run that may be called off, if it is one; RecalledError."""
    return _AT_EASE if recall is None else _waiting(recall)


_AT_EASE = nullcontext()


@contextmanager
def _waiting(recall: Recall) -> Iterator[None]:
    before, scope = recall.waits_in, anyio.CancelScope()
    recall.waits(_Scoped(scope))
    try:
        with scope:
            yield
    finally:
        recall.waits_in = before
    if scope.cancelled_caught:
        raise RecalledError


class _Scoped:
    """A wait under a cancel scope."""

    __slots__ = ("_scope",)

    def __init__(self, scope: anyio.CancelScope) -> None:
        self._scope = scope

    def recall(self) -> None:
        """See `Wait.recall`."""
        self._scope.cancel()
