"""Blocks that must go back come home whole, in order, and to nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import target_of

from turnout.providers.dialects.draft import Draft
from turnout.providers.dialects.keeping import Kept, Piece, arranged, keep, own_blocks

HOME = target_of("cohere", "m")
BLOCK = {"type": "thinking", "thinking": "x"}


def own(*details: Any) -> tuple[list[Kept], list[str]]:
    draft = Draft.for_target({}, HOME)
    found = own_blocks({"reasoning_details": list(details)}, "messages[0]", draft, "cohere")
    return found, [one.reason for one in draft.adaptations]


def test_a_kept_block_comes_back() -> None:
    detail = keep(HOME, "cohere", "thinking", 3, BLOCK)
    assert own(detail) == ([Kept(3, "thinking", BLOCK)], [])


def test_they_come_in_the_order_of_their_places() -> None:
    later, sooner = (keep(HOME, "cohere", "thinking", place, BLOCK) for place in (5, 1))
    assert [one.place for one in own(later, sooner)[0]] == [1, 5]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"provider": "other"}, "other"),
        ({"model": "another"}, "p"),
        ({"type": "gemini.thinking"}, "p"),
        ({"type": "thinking"}, "p"),
        ({"block": None, "provider": None}, "cohere.thinking"),
        ({"block": None, "provider": None, "type": None}, "unknown origin"),
    ],
)
def test_strangers_stay_behind_and_are_named(change: dict[str, Any], named: str) -> None:
    found, reasons = own({**keep(HOME, "cohere", "thinking", 0, BLOCK), **change})
    assert not found
    assert [named in reason for reason in reasons] == [True]


def test_a_block_without_a_place_stands_where_it_is_listed() -> None:
    detail = {**keep(HOME, "cohere", "thinking", 9, BLOCK), "index": None}
    assert own(detail)[0] == [Kept(0, "thinking", BLOCK)]


def shown(pieces: list[Piece]) -> list[Any]:
    return [piece.number if piece.what == "call" else piece.block.get("n", piece.what) for piece in pieces]


def kept(place: int, kind: str = "thinking", **block: Any) -> Kept:
    return Kept(place, kind, {"n": f"k{place}", **block})


@pytest.mark.parametrize(
    ("blocks", "text", "calls", "order"),
    [
        ([], "said", 2, ["text", 0, 1]),
        ([kept(0)], "said", 1, ["k0", "text", 0]),
        ([kept(1)], "said", 1, ["text", "k1", 0]),
        ([kept(0), kept(2)], "", 2, ["k0", 0, "k2", 1]),
        ([kept(4)], "said", 0, ["text", "k4"]),
        ([kept(0, "text", text="a"), kept(1), kept(2, "text", text="b")], "ab", 1, ["k0", "k1", "k2", 0]),
        ([kept(0, "text", text="a"), kept(1), kept(2, "text", text="b")], "changed", 0, ["text", "k1"]),
    ],
)
def test_the_order_is_the_answers(blocks: list[Kept], text: str, calls: int, order: list[Any]) -> None:
    assert shown(list(arranged(blocks, text, calls))) == order


@given(st.lists(st.integers(0, 8), unique=True).map(sorted), st.sampled_from(["", "said"]), st.integers(0, 4))
def test_nothing_is_lost_or_said_twice(places: list[int], text: str, calls: int) -> None:
    blocks = [kept(place) for place in places]
    pieces = list(arranged(blocks, text, calls))
    assert [piece.block for piece in pieces if piece.what == "kept"] == [one.block for one in blocks]
    assert [piece.number for piece in pieces if piece.what == "call"] == list(range(calls))
    assert sum(piece.what == "text" for piece in pieces) == bool(text)


@given(
    st.lists(st.tuples(st.sampled_from(["text", "thinking"]), st.sampled_from(["a", "b"])), max_size=6),
    st.integers(0, 3),
)
def test_an_answer_that_is_kept_whole_is_written_as_it_was(blocks: list[tuple[str, str]], calls: int) -> None:
    told = [Kept(place, kind, {"text": text}) for place, (kind, text) in enumerate(blocks)]
    text = "".join(text for kind, text in blocks if kind == "text")
    pieces = list(arranged(told, text, calls))
    assert [piece.block for piece in pieces[: len(told)]] == [one.block for one in told]
    assert [piece.number for piece in pieces[len(told) :]] == list(range(calls))
