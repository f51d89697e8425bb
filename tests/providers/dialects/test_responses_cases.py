"""What a Responses host answers, whole and in streams cut anywhere, is what its fixture says."""

from __future__ import annotations

import pytest
from dialect_cases import STREAMS, Case, cases

WHOLE = cases("responses", "response.json")
STREAMED = cases("responses", *STREAMS)
BOTH = [case for case in WHOLE if case.stream and "response" in case.expected]
SHORT = [case for case in STREAMED if len(case.stream or b"") < 1000]
LONG = [case for case in STREAMED if case not in SHORT]
PAYLOADS = [case for case in cases("responses") if "payload" in case.expected]


@pytest.mark.parametrize("case", WHOLE, ids=repr)
def test_whole(case: Case) -> None:
    case.check_whole()


@pytest.mark.parametrize("case", STREAMED, ids=repr)
def test_streamed(case: Case) -> None:
    case.check_stream([case.stream or b""])


@pytest.mark.parametrize("case", SHORT, ids=repr)
def test_cut_at_every_byte(case: Case) -> None:
    case.check_every_cut()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
@pytest.mark.parametrize("case", LONG, ids=repr)
def test_in_small_pieces(case: Case, size: int) -> None:
    data = case.stream or b""
    case.check_stream([data[at : at + size] for at in range(0, len(data), size)])


@pytest.mark.parametrize("case", BOTH, ids=repr)
def test_the_stream_says_what_the_whole_answer_says(case: Case) -> None:
    case.check_same()


@pytest.mark.parametrize("case", PAYLOADS, ids=repr)
def test_payload(case: Case) -> None:
    case.check_payload()
