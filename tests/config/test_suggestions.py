"""The nearest right word."""

from __future__ import annotations

from turnout.config.suggestions import closest, did_you_mean


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert closest("dealine", ["chain", "deadline", "retry"]) == "deadline"
    assert closest("OpenAi", ["openai", "azure"]) == "openai"
    assert closest("on", ["chain", "deadline"]) is None
    assert closest("x", []) is None


def test_a_message_ends_with_the_question_or_with_nothing() -> None:
    assert did_you_mean("opnai", ["openai"]) == "; did you mean 'openai'?"
    assert did_you_mean("zebra", ["openai"]) == ""
