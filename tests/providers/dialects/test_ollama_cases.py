"""Answers as Ollama gives them, whole and streamed, and however they are cut."""

from __future__ import annotations

import pytest
from dialect_cases import STREAMS, Case, cases


@pytest.mark.parametrize("case", cases("ollama", "response.json"), ids=repr)
def test_a_whole_answer(case: Case) -> None:
    case.check_whole()


@pytest.mark.parametrize("case", cases("ollama", *STREAMS), ids=repr)
def test_a_stream_in_one_piece_and_in_single_bytes(case: Case) -> None:
    data = case.stream or b""
    case.check_stream([data])
    case.check_stream(data[at : at + 1] for at in range(len(data)))


@pytest.mark.parametrize("case", cases("ollama", *STREAMS), ids=repr)
def test_every_cut_says_the_same(case: Case) -> None:
    case.check_every_cut()


@pytest.mark.parametrize(
    "case",
    [case for case in cases("ollama", "response.ndjson") if case.body and "response" in case.expected],
    ids=repr,
)
def test_a_stream_adds_up_to_the_whole_answer(case: Case) -> None:
    case.check_same()


@pytest.mark.parametrize("case", [case for case in cases("ollama") if "payload" in case.expected], ids=repr)
def test_what_is_sent(case: Case) -> None:
    case.check_payload()
