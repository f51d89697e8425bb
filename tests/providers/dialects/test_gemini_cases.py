"""What generateContent answers, recorded shape by shape, and what must be made of it."""

from __future__ import annotations

import pytest
from dialect_cases import STREAMS, Case, cases

WHOLE = cases("gemini", "response.json")
STREAMED = cases("gemini", *STREAMS)
BOTH = [case for case in WHOLE if case.stream and "response" in case.expected]
SENT = [case for case in cases("gemini") if "payload" in case.expected]


@pytest.mark.parametrize("case", WHOLE, ids=repr)
def test_a_whole_answer(case: Case) -> None:
    case.check_whole()


@pytest.mark.parametrize("case", STREAMED, ids=repr)
def test_a_stream(case: Case) -> None:
    assert case.stream is not None
    case.check_stream([case.stream])


@pytest.mark.parametrize("case", STREAMED, ids=repr)
def test_a_stream_may_be_cut_at_every_byte(case: Case) -> None:
    case.check_every_cut()


@pytest.mark.parametrize("case", SENT, ids=repr)
def test_a_request(case: Case) -> None:
    case.check_payload()


@pytest.mark.parametrize("case", BOTH, ids=repr)
def test_a_stream_says_the_same_as_the_whole_answer(case: Case) -> None:
    case.check_same()
