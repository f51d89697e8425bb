"""A leading <think> block is told from the answer at any cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.providers.thinking_tags import Split, ThinkTagSplitter, split

CASES = {
    "<think>why</think>because": Split("why", "because"),
    "\n <think>\nwhy not?\n</think>\n\nbecause": Split("why not?", "because"),
    "<think></think>plain": Split("", "plain"),
    "<think>\n\n</think>\n\nplain": Split("", "plain"),
    "<think>cut off by the token li": Split("cut off by the token li", ""),
    "<think>cut off in the tag</thi": Split("cut off in the tag</thi", ""),
    "<think>  ": Split("", ""),
    "<think>a < b </ c </think >d</think>e": Split("a < b </ c </think >d", "e"),
    "<think>one\n\n  two</think>three": Split("one\n\n  two", "three"),
    "no tags at all": Split("", "no tags at all"),
    "  leading space stays": Split("", "  leading space stays"),
    "later <think>is text</think>": Split("", "later <think>is text</think>"),
    "<think>one</think>two<think>three</think>": Split("one", "two<think>three</think>"),
    "<thinking>another tag</thinking>": Split("", "<thinking>another tag</thinking>"),
    "<th": Split("", "<th"),
    "": Split("", ""),
    "   ": Split("", "   "),
}


def in_pieces(*pieces: str) -> Split:
    splitter = ThinkTagSplitter()
    parts = [*(splitter.feed(piece) for piece in pieces), splitter.close()]
    return Split("".join(part.reasoning for part in parts), "".join(part.content for part in parts))


@pytest.mark.parametrize(("text", "expected"), CASES.items())
def test_every_cut_gives_the_same_parts(text: str, expected: Split) -> None:
    assert split(text) == expected
    assert in_pieces(*text) == expected
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            assert in_pieces(text[:first], text[first:second], text[second:]) == expected


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "</", "think>", " ", "\n", "a", "<think", "b c"]))
)
def test_pieces_and_whole_agree(pieces: list[str]) -> None:
    assert in_pieces(*pieces) == split("".join(pieces))


def test_text_is_given_as_soon_as_it_is_certain() -> None:
    splitter = ThinkTagSplitter()
    assert splitter.feed("<think>first ") == Split("first", "")
    assert splitter.feed("thought</th") == Split(" thought", "")
    assert splitter.feed("ink>so:") == Split("", "so:")
    assert splitter.feed(" yes") == Split("", " yes")
