"""What providers answer, whole and in streams cut anywhere, is read as the folders of tests/fixtures say."""

from __future__ import annotations

import pytest
from dialect_cases import STREAMS, Case, cases

WIRES = ("responses", "anthropic", "gemini", "bedrock", "cohere", "ollama")
CASES = [case for wire in WIRES for case in cases(wire)]
WHOLE = [case for case in CASES if case.body is not None]
STREAMED = [case for wire in WIRES for case in cases(wire, *STREAMS)]
BOTH = [case for case in WHOLE if case.stream and "response" in case.expected]
# on Ollama's wire a whole answer is a stream of one line, and is told apart by nothing
ANSWERS = [case for case in WHOLE if case.wire != "ollama" and not {"status", "error"} & case.expected.keys()]
PAYLOADS = [case for case in CASES if "payload" in case.expected]


def named(case: Case) -> str:
    return f"{case.wire}-{case.name}"


@pytest.mark.parametrize("wire", WIRES)
def test_every_wire_has_its_cases(wire: str) -> None:
    assert len(cases(wire)) >= 25


@pytest.mark.parametrize("case", WHOLE, ids=named)
def test_a_whole_answer(case: Case) -> None:
    case.check_whole()


@pytest.mark.parametrize("case", STREAMED, ids=named)
def test_a_stream_in_one_piece_and_in_single_bytes(case: Case) -> None:
    data = case.stream or b""
    case.check_stream([data])
    case.check_stream(data[at : at + 1] for at in range(len(data)))


@pytest.mark.parametrize("case", STREAMED, ids=named)
def test_a_stream_cut_at_every_byte(case: Case) -> None:
    case.check_every_cut()


@pytest.mark.parametrize("case", BOTH, ids=named)
def test_a_stream_says_what_the_whole_answer_says(case: Case) -> None:
    case.check_same()


@pytest.mark.parametrize("case", ANSWERS, ids=named)
def test_a_whole_answer_where_a_stream_was_asked_for(case: Case) -> None:
    body = case.body or b""
    chunks, error = case.streamed([b" ", body[:1], body[1:]])
    assert error is None
    assert "".join(chunk.text for chunk in chunks) == case.decode().text


@pytest.mark.parametrize("case", PAYLOADS, ids=named)
def test_what_is_sent(case: Case) -> None:
    case.check_payload()
