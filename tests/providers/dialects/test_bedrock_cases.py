"""Recorded shapes of Converse's answers mean what is expected, whole, streamed, and cut anywhere."""

from __future__ import annotations

import pytest
from dialect_cases import STREAMS, Case, cases

CASES = cases("bedrock")


@pytest.mark.parametrize("case", [case for case in CASES if case.body is not None], ids=repr)
def test_the_whole_body(case: Case) -> None:
    case.check_whole()


@pytest.mark.parametrize("case", cases("bedrock", *STREAMS), ids=repr)
def test_the_stream(case: Case) -> None:
    case.check_stream([case.stream or b""])
    case.check_every_cut()


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.body is not None and case.stream is not None and "error" not in case.expected
    ],
    ids=repr,
)
def test_the_stream_folds_to_the_whole(case: Case) -> None:
    case.check_same()


@pytest.mark.parametrize("case", [case for case in CASES if "payload" in case.expected], ids=repr)
def test_the_payload(case: Case) -> None:
    case.check_payload()


@pytest.mark.parametrize("case", [case for case in CASES if case.body is not None], ids=repr)
def test_a_body_where_a_stream_was_asked_for(case: Case) -> None:
    if "status" not in case.expected and "error" not in case.expected:
        body = case.body or b""
        chunks, error = case.streamed([b" ", body[:1], body[1:]])
        assert error is None
        assert "".join(chunk.text for chunk in chunks) == case.decode().text
