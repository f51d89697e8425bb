"""Breakpoints of Anthropic's prompt cache: where they were asked for, and the few that may stand."""

from __future__ import annotations

from .draft import Draft, Json

MOST = 4
"""Breakpoints in one request; one that the API sets itself, by a mark on the request, is one of them."""


class Marks:
    """The breakpoints of one request, in the order of the prompt: tools, system, messages."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._placed: list[tuple[str, Json]] = []

    def place(self, mark: Json | None, block: Json, path: str) -> None:
        """Set a breakpoint after a block, where one was asked for."""
        if mark:
            block["cache_control"] = mark
            self._placed.append((f"{path}.cache_control", block))

    def settle(self, *, automatic: bool) -> None:
        """Take away what is too many: the earliest, whose prefixes the later ones hold too."""
        most = MOST - automatic
        for path, block in self._placed[: max(0, len(self._placed) - most)]:
            del block["cache_control"]
            self._draft.report(path, "dropped", f"the wire takes at most {MOST} cache breakpoints")
