"""Chunks of one answer fit together, whichever wire they come from."""

from __future__ import annotations

from typing import Any

import pytest
from mixed_requests import target_of

from turnout.providers.chat import Logprobs, TokenLogprob
from turnout.providers.dialects.chunks import ChunkWriter, count, token_usage
from turnout.providers.folding import fold


@pytest.fixture
def writer() -> ChunkWriter:
    return ChunkWriter(target_of("cohere", "m"))


def test_what_is_said_of_the_answer_as_such(writer: ChunkWriter) -> None:
    writer.open("a", 12.0, "m-2")
    writer.open(None, True, "")
    writer.open(created=-1)
    chunk = writer.text("Hi")
    assert (chunk.id, chunk.created, chunk.model, chunk.provider) == ("a", 12, "m-2", "p")


def test_the_first_chunk_of_each_choice_says_who_speaks(writer: ChunkWriter) -> None:
    chunks = [writer.text("a"), writer.text("b"), writer.text("c", 1), writer.finish("stop", choice=2)]
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant", None, "assistant", "assistant"]


def test_all_pieces_fold_to_one_answer(writer: ChunkWriter) -> None:
    told = Logprobs(content=[TokenLogprob(token="a", logprob=-0.5)])
    answer = fold([
        writer.reasoning("hm"),
        writer.text("a", logprobs=told),
        writer.text("b"),
        writer.detail({"type": "x.y", "index": 0}),
        writer.annotation("https://pages.example", None, 0, 1, source="s"),
        writer.finish("stop", "END", mood="calm"),
        writer.usage(token_usage(1, 2), prompt="p"),
    ]).wire()  # fmt: skip
    (choice,) = answer["choices"]
    assert choice["message"]["content"] == "ab"
    assert choice["message"]["reasoning"] == "hm"
    assert choice["message"]["reasoning_details"] == [{"type": "x.y", "index": 0}]
    assert choice["message"]["annotations"] == [
        {
            "type": "url_citation",
            "url_citation": {"url": "https://pages.example", "title": "", "start_index": 0, "end_index": 1},
            "source": "s",
        }
    ]
    assert (choice["finish_reason"], choice["native_finish_reason"], choice["mood"]) == (
        "stop",
        "END",
        "calm",
    )
    assert choice["logprobs"]["content"][0]["token"] == "a"
    assert answer["usage"]["total_tokens"] == 3
    assert answer["prompt"] == "p"


def test_a_native_word_that_says_the_same_is_not_repeated(writer: ChunkWriter) -> None:
    assert "native_finish_reason" not in writer.finish("stop", "stop").wire()["choices"][0]


def test_calls_are_numbered_by_choice_and_get_ids(writer: ChunkWriter) -> None:
    writer.open("a")
    first, chunk = writer.begin_call("now", "c")
    second, made = writer.begin_call("now", None, "{", extra=1)
    other, _ = writer.begin_call("now", 5, choice=1)
    assert (first, second, other, writer.calls) == (0, 1, 0, 3)
    assert (chunk.choices[0].delta.tool_calls or [])[0].id == "c"
    assert (made.choices[0].delta.tool_calls or [])[0].id == writer.made_id(0, 1)
    answer = fold([chunk, made, writer.arguments(second, "}")])
    assert [(call.id, call.function and call.function.arguments) for call in answer.tool_calls] == [
        ("c", ""), (writer.made_id(0, 1), "{}"),
    ]  # fmt: skip


def test_usage() -> None:
    plain = token_usage(1, 2, rest={"billed": 1, "prompt_tokens": 9, "none": None}).wire()
    assert plain == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "billed": 1}
    full = token_usage(9, 8, cached=1, cache_write=2, reasoning=3, audio_in=4, audio_out=5)
    assert full.prompt_tokens_details is not None
    assert full.completion_tokens_details is not None
    assert full.prompt_tokens_details.wire() == {
        "cached_tokens": 1, "cache_write_tokens": 2, "audio_tokens": 4,
    }  # fmt: skip
    assert full.completion_tokens_details.wire() == {"reasoning_tokens": 3, "audio_tokens": 5}


@pytest.mark.parametrize(
    ("source", "counted"),
    [
        ({"a": {"b": 3}}, 3), ({"a": {"b": 3.0}}, 3), ({"a": {"b": "3"}}, None), ({"a": {"b": True}}, None),
        ({"a": {"b": -1}}, None), ({"a": {"b": float("nan")}}, None), ({"a": {"b": float("inf")}}, None),
        ({"a": 1}, None), (None, None), ([], None),
    ],
)  # fmt: skip
def test_counts(source: Any, counted: int | None) -> None:
    assert count(source, "a", "b") == counted
