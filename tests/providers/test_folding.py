"""A stream adds up to the answer that would have come whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnout.providers.chat import ChatChunk, ChatResponse, Record
from turnout.providers.folding import Fold, fold
from turnout.providers.unfolding import unfold

Records = Callable[[type[Record]], st.SearchStrategy[Any]]
CITED = {"type": "url_citation", "url_citation": {"url": "https://x.example"}}
SEALED = {"type": "reasoning.encrypted", "data": "x"}


def chunk(*choices: dict[str, Any], **fields: Any) -> ChatChunk:
    return ChatChunk.model_validate(
        {"id": "c1", "created": 7, "model": "m", "choices": list(choices), **fields}
    )


def deltas(*given: dict[str, Any]) -> list[ChatChunk]:
    return [chunk({"index": 0, "delta": delta}) for delta in given]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_answer_survives_being_streamed(records: Records, data: st.DataObject) -> None:
    response = data.draw(records(ChatResponse))
    assert fold(unfold(response)) == response


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_chunks_survive_the_wire_on_the_way(records: Records, data: st.DataObject) -> None:
    response = data.draw(records(ChatResponse))
    carried = [ChatChunk.model_validate(piece.wire(extensions=True)) for piece in unfold(response)]
    assert fold(carried) == response


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    words=st.dictionaries(
        st.sampled_from(["content", "reasoning", "refusal"]), st.text(max_size=12), min_size=1
    ),
    arguments=st.text(max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=4).map(sorted),
)
def test_where_text_is_cut_makes_no_difference(
    words: dict[str, str], arguments: str, cuts: list[int]
) -> None:
    pieces = [{name: piece} for name, text in words.items() for piece in cut(text, cuts)]
    calls = [
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": piece}}]}
        for piece in cut(arguments, cuts)
    ]
    message = fold(deltas(*pieces, *calls)).message
    assert {name: getattr(message, name) for name in words} == words
    assert [(call.name, call.arguments) for call in message.tool_calls or ()] == [("f", arguments)]


def cut(text: str, cuts: list[int]) -> Iterator[str]:
    """Pieces of `text`, some of them empty."""
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        yield text[start : max(start, end)] if end != len(text) else text[start:]


def test_an_answer_with_everything_survives_being_streamed() -> None:
    token = {"token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1.5}]}
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}", "x": 1}, "x": 2}
    message = {
        "role": "assistant",
        "content": "Hello",
        "refusal": "no",
        "reasoning": "hm",
        "reasoning_details": [SEALED, SEALED],
        "annotations": [CITED],
        "audio": {"id": "a", "data": "AA==", "expires_at": 1, "transcript": "Hello", "x": 3},
        "tool_calls": [call, {"id": "b", "type": "custom", "custom": {"name": "g", "input": "y", "x": 4}}],
        "function_call": {"name": "f", "arguments": "{}", "x": 5},
        "x": 6,
    }
    logprobs = {"content": [token], "refusal": [token], "x": 7}
    answer = ChatResponse.model_validate(
        {
            "id": "c1",
            "created": 1,
            "model": "m",
            "choices": [
                {"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs, "x": [8]},
                {"index": 2, "message": {"content": None}, "finish_reason": "odd"},
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 1}, "x": 9},
            "system_fingerprint": "fp",
            "service_tier": "flex",
            "provider": "openai",
            "metadata": {"a": "b"},
            "responseStatus": {"errorCode": "Odd", "errors": [{"fieldName": "n", "meta": {"a": "b"}}]},
            "cost": {"amount": "0.1", "basis": "reported"},
            "trace": {"route": "assistant"},
            "x": {"ten": 10},
        }
    )
    assert fold(unfold(answer)) == answer
    assert fold(unfold(answer)).wire(extensions=True) == answer.wire(extensions=True)


def test_the_answer_so_far_can_be_had_at_any_time() -> None:
    folding = Fold()
    assert folding.response() == ChatResponse()
    folding.add(chunk({"index": 0, "delta": {"role": "assistant", "content": "Hel"}}))
    partial = folding.response()
    folding.add(chunk({"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}))
    assert (partial.text, partial.finish_reason) == ("Hel", None)
    assert (folding.response().text, folding.response().finish_reason) == ("Hello", "stop")


def test_openais_stream() -> None:
    answer = fold(
        [
            chunk({"index": 0, "delta": {"role": "assistant", "content": ""}}, usage=None, obfuscation="xyz"),
            chunk({"index": 0, "delta": {"content": "Hi"}}, usage=None, system_fingerprint="fp"),
            chunk({"index": 0, "delta": {}, "finish_reason": "stop"}, usage=None),
            chunk(usage={"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}),
        ]
    )
    assert answer.wire() == {
        "id": "c1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "system_fingerprint": "fp",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "logprobs": None,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }


def test_choices_are_sorted_out() -> None:
    answer = fold(
        [
            chunk({"index": 1, "delta": {"content": "b"}}),
            chunk({"index": 0, "delta": {"content": "A"}}, {"index": 1, "delta": {"content": "B"}}),
            chunk({"index": 1, "delta": {}, "finish_reason": "length"}),
        ]
    )
    assert [(choice.index, choice.message.content, choice.finish_reason) for choice in answer.choices] == [
        (0, "A", None),
        (1, "bB", "length"),
    ]


def test_calls_are_joined_by_index() -> None:
    message = fold(
        deltas(
            {
                "tool_calls": [
                    {"index": 0, "id": "a", "type": "function", "function": {"name": "look", "arguments": ""}}
                ]
            },
            {"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "listen"}}]},
            {"tool_calls": [{"index": 0, "id": "", "function": {"name": "look", "arguments": '{"at":'}}]},
            {"tool_calls": [{"index": 1, "function": {"name": None, "arguments": "{}"}}, {"index": 0}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}, "extra_content": {"google": 1}}]},
        )
    ).message
    assert [call.wire() for call in message.tool_calls or ()] == [
        {
            "id": "a",
            "type": "function",
            "function": {"name": "look", "arguments": '{"at":1}'},
            "extra_content": {"google": 1},
        },
        {"id": "b", "type": "function", "function": {"name": "listen", "arguments": "{}"}},
    ]


def test_a_name_in_pieces_is_joined_and_a_name_repeated_is_not() -> None:
    def named(*names: str) -> str:
        pieces = [{"tool_calls": [{"index": 0, "id": "a", "function": {"name": name}}]} for name in names]
        return fold(deltas(*pieces)).tool_calls[0].name

    assert named("get_", "weather") == "get_weather"
    assert named("get_weather", "get_weather") == "get_weather"


def test_servers_that_give_every_call_the_same_index() -> None:
    calls = fold(
        deltas(
            {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "look", "arguments": "{}"}}]},
            {"tool_calls": [{"index": None, "id": "b", "function": {"name": "look", "arguments": "[]"}}]},
        )
    ).tool_calls
    assert [(call.id, call.arguments) for call in calls] == [("a", "{}"), ("b", "[]")]


def test_custom_calls_and_old_calls_are_joined() -> None:
    message = fold(
        deltas(
            {
                "tool_calls": [
                    {"index": 0, "id": "a", "type": "custom", "custom": {"name": "grep", "input": "TO"}}
                ]
            },
            {"tool_calls": [{"index": 0, "custom": {"input": "DO"}}]},
            {"function_call": {"name": "look", "arguments": '{"a"'}},
            {"function_call": {"arguments": ":1}"}},
        )
    ).message
    assert message.tool_calls is not None
    assert message.tool_calls[0].arguments == "TODO"
    assert message.function_call is not None
    assert message.function_call.arguments == '{"a":1}'


def test_sound_and_annotations_grow() -> None:
    message = fold(
        deltas(
            {"audio": {"id": "a1", "transcript": "He"}},
            {
                "audio": {"data": "QUJD"},
                "annotations": [{"type": "url_citation", "url_citation": {"url": "u1"}}],
            },
            {"audio": {"transcript": "llo", "data": "REVG"}, "annotations": [{"type": "file"}]},
            {"audio": {"expires_at": 99, "rate": 24000}},
        )
    ).message
    assert message.audio is not None
    assert message.audio.wire() == {
        "id": "a1",
        "data": "QUJDREVG",
        "expires_at": 99,
        "transcript": "Hello",
        "rate": 24000,
    }
    assert [annotation.type for annotation in message.annotations or ()] == ["url_citation", "file"]


def test_logprobs_grow() -> None:
    choices = [{"index": 0, "logprobs": {"content": [{"token": token, "logprob": -1}]}} for token in "ab"]
    refused = {"index": 0, "logprobs": {"content": None, "refusal": [{"token": "c", "logprob": -2}]}}
    logprobs = fold([chunk(choice) for choice in [*choices, refused]]).choices[0].logprobs
    assert logprobs is not None
    assert [token.token for token in logprobs.content or ()] == ["a", "b"]
    assert [token.token for token in logprobs.refusal or ()] == ["c"]


def test_pieces_of_a_reasoning_detail_are_one_detail() -> None:
    text = {"type": "reasoning.text", "index": 0}
    message = fold(
        deltas(
            {"reasoning_details": [{**text, "text": "Let me "}]},
            {"reasoning_details": [{**text, "text": "think.", "format": None}]},
            {
                "reasoning_details": [
                    {**text, "signature": "s1g"},
                    {"type": "reasoning.encrypted", "index": 1, "data": "x"},
                ]
            },
            {"reasoning_details": [{"type": "reasoning.text", "text": "Unnumbered"}]},
        )
    ).message
    assert message.reasoning_details == [
        {"type": "reasoning.text", "index": 0, "text": "Let me think.", "signature": "s1g"},
        {"type": "reasoning.encrypted", "index": 1, "data": "x"},
        {"type": "reasoning.text", "text": "Unnumbered"},
    ]


def test_folding_leaves_the_chunks_as_they_were() -> None:
    pieces = deltas(*({"reasoning_details": [{"type": "t", "index": 0, "text": word}]} for word in "ab"))
    before = [piece.wire() for piece in pieces]
    fold(pieces)
    assert [piece.wire() for piece in pieces] == before


def test_unknown_fields_keep_their_last_value_and_objects_grow() -> None:
    answer = fold(
        [
            chunk(x_groq={"id": "r1"}, region="eu", text="early"),
            chunk(
                {
                    "index": 0,
                    "delta": {"mood": "calm"},
                    "filter": {"hate": 0},
                    "message": {"content": "so far"},
                }
            ),
            chunk({"index": 0, "delta": {"mood": "glad"}, "filter": {"violence": 0}}, region=None),
            chunk(x_groq={"usage": {"queue_time": 1}}, region="us", text="late", nothing=None),
        ]
    )
    assert answer.model_extra == {
        "x_groq": {"id": "r1", "usage": {"queue_time": 1}},
        "region": "us",
        "text": "late",
        "nothing": None,
    }
    assert answer.choices[0].model_extra == {"filter": {"hate": 0, "violence": 0}}
    assert answer.message.model_extra == {"mood": "glad"}


def test_the_last_usage_that_came_counts() -> None:
    usages = [{"prompt_tokens": 1}, {"prompt_tokens": 9, "completion_tokens": 2}, None]
    usage = fold([chunk(usage=usage) for usage in usages]).usage
    assert usage is not None
    assert usage.total == 11


def test_an_answer_streams_in_a_natural_order() -> None:
    answer = ChatResponse.model_validate(
        {
            "id": "c1",
            "provider": "openai",
            "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1},
        }
    )
    start, said, end, usage = unfold(answer)
    assert not start.is_semantic
    assert start.choices[0].delta.role == "assistant"
    assert start.provider == "openai"
    assert said.text == "Hello"
    assert end.finish_reason == "stop"
    assert usage.usage == answer.usage
    assert usage.choices == []
    assert {piece.id for piece in (start, said, end, usage)} == {"c1"}
