"""A simulated provider that knows several keys, each with replies of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from turnout.testing import Reply, Script, Simulator
from turnout.testing.server import Received


class KeyedSimulator(Simulator):
    """Answers by the key of a request: keys that are not among `keys` are refused.

    A key without replies repeats what it was told, as any simulator does.
    """

    def __init__(self, keys: Mapping[str, Sequence[Reply]], **options: Any) -> None:
        super().__init__(**options)
        self._by_key = dict(keys)
        self._replies: Counter[str] = Counter()

    def give(self, key: str, *replies: Reply) -> None:
        """Let a key have other replies from now on, or let it be known from now on."""
        self._by_key[key] = replies
        del self._replies[key]

    @property
    def used(self) -> list[str]:
        """The keys of all requests, in order."""
        return [_key_of(received) for received in self.requests]

    def _may_enter(self, received: Received) -> bool:
        key = _key_of(received)
        if key not in self._by_key:
            return False
        replies = self._by_key[key]
        self._scripts.clear()
        if replies and received.model is not None:
            number = self._replies[key]
            self._replies[key] += 1
            self._scripts[received.model] = Script.of([Script.of(replies).reply(number)])
        return True


def _key_of(received: Received) -> str:
    authorization = received.headers.get("authorization", "")
    return authorization.removeprefix("Bearer ") or received.headers.get("x-api-key", "")
