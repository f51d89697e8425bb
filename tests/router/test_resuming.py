"""Two attempts' pieces as one answer: nothing doubled, nothing lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout import ChatChunk, ChatCompletion, ChatResponse, Usage
from turnout.config.loading import parse_settings
from turnout.promises import plans_of
from turnout.providers.chat import ChunkChoice, Delta
from turnout.providers.dialects.prefilling import CONTINUES
from turnout.providers.folding import Fold, fold
from turnout.resuming import Joint, behind, continuing, given_text, goes_on, is_plain, is_whole

ASKED = ChatCompletion.parse({"model": "r", "messages": [{"role": "user", "content": "Go"}]})
SPENT = Usage(prompt_tokens=10, completion_tokens=5)
texts = st.text(st.sampled_from("ab \n\té🙂."), max_size=24)


def chunk(finish: str | None = None, usage: Usage | None = None, **delta: Any) -> ChatChunk:
    choices = [ChunkChoice(delta=Delta(**delta), finish_reason=finish)] if delta or finish else []
    return ChatChunk(id="one", created=1, model="m", choices=choices, usage=usage)


def partial(**message: Any) -> ChatResponse:
    return fold([chunk(role="assistant", **message)])


def joined(before: ChatResponse, pieces: list[ChatChunk], *, echo: str = "") -> ChatResponse:
    """What the caller's chunks of both attempts add up to."""
    joint = Joint(before, SPENT, echo=echo)
    folding = Fold()
    folding.add(chunk(role="assistant", content=before.text, reasoning=before.reasoning))
    for piece in pieces:
        shown = joint.take(piece)
        if shown is not None:
            folding.add(shown)
    left = joint.left()
    if left is not None:
        folding.add(left)
    return folding.response()


def cut_up(text: str, cuts: list[int]) -> list[ChatChunk]:
    """A text in pieces, then the end of the answer."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pairs = pairwise(places)
    return [*(chunk(content=text[begin:end]) for begin, end in pairs), chunk(finish="stop")]


@given(texts, st.integers(0, 30), st.lists(st.integers(0, 30), max_size=4), st.sampled_from(["rest", "echo"]))
def test_any_cut_gives_the_text_of_an_uncut_stream(text: str, cut: int, cuts: list[int], way: str) -> None:
    before = partial(content=text[: cut % (len(text) + 1)])
    sent = given_text(ASKED, before.text)
    said = text[len(sent) :] if way == "rest" else text
    assert joined(before, cut_up(said, cuts), echo=sent if way == "echo" else "").text == text


@given(texts, st.integers(0, 30), st.lists(st.integers(0, 30), max_size=4))
def test_a_host_that_may_echo_and_does_not_loses_nothing(text: str, cut: int, cuts: list[int]) -> None:
    before = partial(content="Now: " + text[: cut % (len(text) + 1)])
    sent = given_text(ASKED, before.text)
    rest = ("Now: " + text)[len(sent) :]
    assert joined(before, cut_up(rest, cuts), echo=sent).text == "Now: " + text


@pytest.mark.parametrize(
    ("shown", "said", "text"),
    [
        ("Hello ", " world", "Hello world"),
        ("Hello ", "world", "Hello world"),
        ("Hello", " world", "Hello world"),
        ("Hello\n\n", "\n\nworld", "Hello\n\nworld"),
        ("Hello\n", "\n\nworld", "Hello\n\nworld"),
        ("Hello\n\n", "\nworld", "Hello\n\nworld"),
        ("Hello ", "", "Hello "),
        ("Hel", "lo", "Hello"),
    ],
)
def test_white_space_at_the_seam_stands_once(shown: str, said: str, text: str) -> None:
    for size in (1, 2, 20):
        assert joined(partial(content=shown), cut_up(said, list(range(0, 20, size)))).text == text


def test_what_was_held_back_is_shown_at_an_end_without_a_reason() -> None:
    pieces = [chunk(content="Now"), chunk(content=": he")]
    assert joined(partial(content="Now: he said"), pieces, echo="Now: he said").text == "Now: he saidNow: he"
    with_end = [*pieces, chunk(finish="stop")]
    assert (
        joined(partial(content="Now: he said"), with_end, echo="Now: he said").text == "Now: he saidNow: he"
    )


def test_usage_is_that_of_both() -> None:
    joint = Joint(partial(content="a"), SPENT)
    taken = joint.take(chunk(usage=Usage(prompt_tokens=12, completion_tokens=3)))
    assert taken is not None
    assert taken.usage is not None
    assert (taken.usage.prompt_tokens, taken.usage.completion_tokens, taken.usage.total_tokens) == (22, 8, 30)


def test_thoughts_are_kept_apart_and_so_are_their_numbered_parts() -> None:
    details = [{"type": "reasoning.text", "text": "a", "index": 0}]
    before = partial(reasoning="First", reasoning_details=details)
    joint = Joint(before, SPENT)
    again = [{"type": "reasoning.text", "text": "b", "index": 0}]
    kept = [{"type": "anthropic.thinking", "block": {}, "index": 0}, {"type": "other"}]
    taken = [
        joint.take(chunk(reasoning="Then", reasoning_details=again)),
        joint.take(chunk(reasoning=" this")),
    ]
    taken.append(joint.take(chunk(reasoning_details=kept)))
    folding = Fold()
    for one in (chunk(reasoning="First", reasoning_details=details), *taken):
        assert one is not None
        folding.add(one)
    message = folding.response().message
    assert message.reasoning == "First\n\nThen this"
    assert message.reasoning_details == [*details, {"type": "reasoning.text", "text": "b", "index": 1}, *kept]


def test_a_chunk_that_only_says_who_speaks_is_not_shown_again() -> None:
    joint = Joint(partial(content="a"), SPENT)
    assert joint.take(chunk(role="assistant", content="")) is None
    taken = joint.take(chunk(role="assistant", content="b"))
    assert taken is not None
    assert (taken.choices[0].delta.role, taken.text, taken.id) == (None, "b", "one")
    news = ChatChunk.model_validate({"id": "two", "native_events": {"x": 1}})
    taken = joint.take(news)
    assert taken is not None
    assert taken.model_extra == {"native_events": {"x": 1}}


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        ({"content": "a", "reasoning": "b"}, True),
        ({"content": "a", "refusal": "b"}, False),
        ({"content": "a", "tool_calls": [{"index": 0, "id": "x", "function": {"name": "f"}}]}, False),
        ({"function_call": {"name": "f"}}, False),
        ({"audio": {"transcript": "a"}}, False),
        ({"content": "a", "annotations": [{"type": "url_citation"}]}, False),
    ],
)
def test_only_text_and_thoughts_are_gone_on_with(message: dict[str, Any], plain: bool) -> None:
    assert is_plain(partial(**message)) is plain
    assert not is_whole(partial(**message))


def test_who_comes_next_is_found_for_copies_of_a_target_too() -> None:
    provider = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
    hot = {"target": "a/m", "request": {"temperature": 1}}
    config = {
        "providers": {"a": provider},
        "routes": {"r": {"chain": ["a/m", hot, "a/o"], "context_window": ["a/long", "a/longer"]}},
    }
    [plan] = plans_of(parse_settings(config, env={}), {})
    first, second, third = plan.targets
    long, longer = first.branches["context_window"]
    for make in (lambda planned: planned, replace):
        assert behind(plan.targets, make(first)) == (second, third)
        assert behind(plan.targets, make(second)) == (third,)
        assert behind(plan.targets, make(third)) == ()
        assert behind(plan.targets, make(long)) == (longer,)
    assert behind((third,), first) == ()


def test_a_target_whose_own_fields_contradict_the_request_is_not_asked() -> None:
    config = {
        "providers": {"a": {"preset": "vllm"}},
        "routes": {"r": ["a/m", {"target": "a/n", "request": {"max_tokens": 5}}]},
    }
    [plan] = plans_of(parse_settings(config, env={}), {})
    asked = ChatCompletion.parse({**ASKED.wire(), "max_completion_tokens": 10})
    assert [goes_on(planned, asked) for planned in plan.targets] == [True, False]


def test_choices() -> None:
    assert not is_plain(ChatResponse())
    assert not is_whole(ChatResponse())
    assert is_whole(fold([chunk(content="a", finish="stop")]))


def test_a_beginning_that_the_caller_gave_comes_first() -> None:
    beginning = [{"type": "text", "text": "Once "}, {"type": "text", "text": "upon"}]
    messages = [{"role": "user", "content": "Go"}, {"role": "assistant", "content": beginning}]
    asked = ChatCompletion.parse({"model": "r", "messages": messages})
    given = given_text(asked, " a time, ")
    request = continuing(asked, given, 7)
    assert [message.text for message in request.messages] == ["Go", "Once upon a time,"]
    assert request.model_extra == {CONTINUES: 7}
    assert "continues_answer" not in asked.wire()


@pytest.mark.parametrize("first", [True, False])
def test_a_reset_voids_what_came_before(first: bool) -> None:
    chunks = [chunk(content="a", usage=SPENT)] if first else []
    again = ChatChunk(id="two", created=2, model="n", reset=True)
    answer = fold([*chunks, again, chunk(content="b"), chunk(finish="stop")])
    assert (answer.id, answer.created, answer.model, answer.text, answer.usage) == ("two", 2, "n", "b", None)
    assert "reset" not in answer.wire()
