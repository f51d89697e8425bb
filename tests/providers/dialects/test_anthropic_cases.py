"""What Anthropic answers, whole and in streams cut anywhere, is read as tests/fixtures/anthropic says."""

from __future__ import annotations

import pytest
from dialect_cases import STREAMS, Case, cases

WHOLE = cases("anthropic", "response.json")
STREAMED = cases("anthropic", *STREAMS)
BOTH = [case for case in WHOLE if case.stream and "response" in case.expected]
PAYLOADS = [case for case in cases("anthropic") if "payload" in case.expected]


@pytest.mark.parametrize("case", WHOLE, ids=repr)
def test_whole(case: Case) -> None:
    case.check_whole()


@pytest.mark.parametrize("case", STREAMED, ids=repr)
def test_streamed(case: Case) -> None:
    case.check_stream([case.stream or b""])


@pytest.mark.parametrize("case", STREAMED, ids=repr)
def test_cut_anywhere(case: Case) -> None:
    case.check_every_cut()


@pytest.mark.parametrize("case", BOTH, ids=repr)
def test_the_stream_adds_up_to_the_whole(case: Case) -> None:
    case.check_same()


@pytest.mark.parametrize("case", PAYLOADS, ids=repr)
def test_what_is_sent(case: Case) -> None:
    case.check_payload()
