"""Parts a leading `<think>…</think>` from the text behind it, however the text is cut.

Some models write what they think into their answer. Only a block at the very start counts (white space may
come before it): the same tag further on is part of the answer, which may well be about tags. White space
next to the tags belongs to neither part. A block that is never closed is thinking to its end.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

OPEN = "<think>"
CLOSE = "</think>"


class Split(NamedTuple):
    """What one piece of text turned out to be; either part may be empty."""

    reasoning: str
    content: str


class ThinkTagSplitter:
    """Splits one choice's text; feed it the pieces in order, then close it."""

    def __init__(self) -> None:
        self._state: Literal["start", "opened", "thinking", "closed", "answer"] = "start"
        self._held = ""  # text that cannot be told apart yet: half a tag, or space before one

    @property
    def settled(self) -> bool:
        """Whether all further text belongs to the answer, so that there is nothing left to split."""
        return self._state == "answer"

    def feed(self, text: str) -> Split:
        """What can be told of the text so far and was not given before."""
        if self._state == "answer":
            return Split("", text)
        text = self._held + text
        self._held = ""
        if self._state == "start":
            return self._start(text)
        if self._state == "closed":
            return Split("", self._answer(text))
        return self._think(text)

    def close(self) -> Split:
        """What was held back, now that no more text comes."""
        held, self._held = self._held, ""
        if self._state == "start":
            return Split("", held)
        return Split(held.rstrip() if self._state == "thinking" else "", "")

    def _start(self, text: str) -> Split:
        stripped = text.lstrip()
        if stripped.startswith(OPEN):
            self._state = "opened"
            return self._think(stripped[len(OPEN) :])
        if OPEN.startswith(stripped):  # also where there is only white space yet
            self._held = text
            return Split("", "")
        self._state = "answer"
        return Split("", text)

    def _think(self, text: str) -> Split:
        if self._state == "opened":
            text = text.lstrip()
            if not text:
                return Split("", "")
        reasoning, tag, rest = text.partition(CLOSE)
        if tag:
            self._state = "closed"
            return Split(reasoning.rstrip(), self._answer(rest))
        certain = len(_without_tag_start(text).rstrip())
        if certain:
            self._state = "thinking"
        self._held = text[certain:]
        return Split(text[:certain], "")

    def _answer(self, text: str) -> str:
        text = text.lstrip()
        if text:
            self._state = "answer"
        return text


def split(text: str) -> Split:
    """The two parts of a whole text."""
    splitter = ThinkTagSplitter()
    first, last = splitter.feed(text), splitter.close()
    return Split(first.reasoning + last.reasoning, first.content + last.content)


def _without_tag_start(text: str) -> str:
    """`text` without a beginning of the closing tag at its end."""
    cut = text.rfind("<", max(0, len(text) - len(CLOSE) + 1))
    return text[:cut] if cut >= 0 and CLOSE.startswith(text[cut:]) else text
