"""Targets that cannot serve a request are passed by before anything is sent: told, free, in good order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from turnout import (
    AllTargetsFailedError,
    ChatCompletion,
    ContextWindowError,
    Router,
    UnsupportedError,
)
from turnout.config.settings import Settings
from turnout.estimating import least_prompt_tokens, prompt_tokens
from turnout.promises import shortfalls
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
LOOK = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
WORDY = [{"role": "user", "content": "one word and one more " * 2000}]  # 10 000 words


def router_for(simulator: Simulator, routes: dict[str, Any], **more: Any) -> Router:
    """A router with a provider that knows its models."""
    models = {
        "blind": {"images": False, "tools": False},
        "small": {"context_window": 5000, "output_limit": 1000},
        "large": {"context_window": 100_000},
        "seeing": {"images": True},
    }
    house = {"dialect": "openai", "base_url": simulator.url, "models": models}
    return Router(
        {"providers": {"house": house}, "routes": routes, **more.pop("settings", {})}, env={}, **more
    )


async def test_a_model_that_takes_no_images_is_passed_by_for_one_that_does() -> None:
    async with Simulator({"seeing": [Reply(text="A cat.")]}) as simulator:
        async with router_for(simulator, {"r": ["house/blind", "house/seeing"]}) as router:
            reply = await router.complete(model="r", messages=LOOK)

    assert reply.text == "A cat."
    assert [request.body["model"] for request in simulator.requests] == ["seeing"]
    assert reply.trace is not None
    [skipped, ok] = reply.trace.attempts
    assert (skipped.outcome, skipped.cost.amount, ok.outcome) == ("skipped", 0, "ok")
    assert skipped.error is not None
    assert skipped.error.kind == "unsupported"
    assert "messages[0].content[1]: this model takes no images" in skipped.error.message


async def test_where_images_are_to_be_dropped_the_question_is_sent_without() -> None:
    async with Simulator({"blind": [Reply(text="I see nothing.")]}) as simulator:
        async with router_for(simulator, {"r": ["house/blind", "house/seeing"]}) as router:
            reply = await router.complete(model="r", messages=LOOK, on_unsupported="drop")

    assert [part["type"] for part in simulator.requests[0].body["messages"][0]["content"]] == ["text"]
    assert reply.trace is not None
    [change] = reply.trace.attempts[0].adaptations
    assert (change.field, change.action) == ("messages[0].content[1]", "dropped")


async def test_where_no_target_takes_it_the_error_names_them_all() -> None:
    async with Simulator() as simulator:
        async with router_for(simulator, {"r": ["house/blind"]}) as router:
            with pytest.raises(UnsupportedError, match="choose another target or set on_unsupported"):
                await router.complete(model="r", messages=LOOK)
            with pytest.raises(UnsupportedError, match="no tools"):
                async with router.stream(model="r", messages=LOOK[:0] + WORDY, tools=[TOOL]):
                    pass

    assert simulator.requests == []


async def test_a_prompt_that_cannot_fit_goes_to_the_next_target(hello: Conversation) -> None:
    async with Simulator({"large": [Reply(text="Long.")], "small": [Reply(text="Short.")]}) as simulator:
        routes = {"r": ["house/small", "house/large"]}
        async with router_for(simulator, routes) as router:
            long = await router.complete(model="r", messages=WORDY)
            short = await router.complete(model="r", messages=hello)

    assert (long.text, short.text) == ("Long.", "Short.")
    assert long.trace is not None
    skipped = long.trace.attempts[0]
    assert (skipped.outcome, skipped.cost.amount, skipped.usage) == ("skipped", Decimal(0), None)
    assert skipped.error is not None
    assert (skipped.error.kind, skipped.error.status) == ("context_window", None)
    assert "at least 10000 tokens and the model's window holds 5000" in skipped.error.message
    assert router.ledger.total.unknown_cost_attempts == 2  # the two answers, which have no price


async def test_a_prompt_that_cannot_fit_takes_the_routes_own_way_for_that() -> None:
    chain = ["house/small", "house/seeing"]
    routes = {"r": {"chain": chain, "context_window": ["house/large"], "fallback_on": ["server"]}}
    async with Simulator({"large": [Reply(text="Long.")]}) as simulator:
        async with router_for(simulator, routes) as router:
            async with router.stream(model="r", messages=WORDY) as stream:
                text = "".join([chunk.text async for chunk in stream])

    assert text == "Long."
    assert [request.body["model"] for request in simulator.requests] == ["large"]


async def test_a_prompt_that_fits_nowhere_is_told_as_such_and_nothing_is_sent() -> None:
    async with Simulator() as simulator:
        routes = {"one": ["house/small"], "two": ["house/small", "house/blind-small"]}
        settings = {"defaults": {"retry": {"attempts": 3, "on": ["context_window"]}}}
        async with router_for(simulator, routes, settings=settings) as router:
            with pytest.raises(ContextWindowError, match=r"nothing was sent\. .* Shorten") as caught:
                await router.complete(model="one", messages=WORDY)
            kept = router.ledger.attempts()
            simulator.script("blind-small", Reply(status=500))
            with pytest.raises(AllTargetsFailedError):
                await router.complete(model="two", messages=WORDY)

    assert (caught.value.provider, caught.value.model) == ("house", "small")
    assert [attempt.outcome for attempt in caught.value.attempts] == ["skipped"]
    assert [attempt.outcome for attempt in kept] == ["skipped"]
    assert {request.body["model"] for request in simulator.requests} == {"blind-small"}


@pytest.mark.parametrize(
    "content",
    [
        "word " * 5500,  # longer than the window, but not clearly
        "=" * 200_000,  # a ruled line may be few tokens
        " \n" * 100_000,
        "字" * 6000,  # no spaces, and how many make a token differs
    ],
)
async def test_what_may_fit_is_sent_and_the_provider_decides(content: str) -> None:
    async with Simulator({"small": [Reply(text="It did.")]}) as simulator:
        async with router_for(simulator, {"r": ["house/small"]}) as router:
            reply = await router.complete(model="r", messages=[{"role": "user", "content": content}])

    assert reply.text == "It did."


async def test_who_asks_the_host_to_shorten_the_prompt_is_not_turned_away() -> None:
    async with Simulator({"small": [Reply(text="Done.")]}) as simulator:
        async with router_for(simulator, {"r": ["house/small"]}) as router:
            reply = await router.complete(model="r", messages=WORDY, transforms=["middle-out"])

    assert reply.text == "Done."


async def test_explain_says_which_targets_would_be_passed_by_and_why() -> None:
    async with Simulator() as simulator:
        routes = {"r": {"chain": ["house/blind", "house/seeing"], "context_window": ["house/large"]}}
        async with router_for(simulator, {**routes, "long": ["house/small", "house/large"]}) as router:
            pictures = router.explain(model="r", messages=LOOK)
            long = router.explain(model="long", messages=WORDY)

    assert [step.skipped for step in pictures.steps] == [True, False]
    assert "skipped: house/blind: messages[0].content[1]: this model takes no images" in str(pictures)
    assert [step.skipped for step in long.steps] == [True, False]
    assert "skipped: house/small: the prompt has at least 10000 tokens" in long.steps[0].why
    assert (long.steps[0].cost, long.steps[0].attempts, long.steps[0].payload) == (0, 0, None)
    assert simulator.requests == []


async def test_a_skipped_target_is_logged_with_the_field() -> None:
    with structlog.testing.capture_logs() as heard:
        async with Simulator({"large": [Reply()], "seeing": [Reply()]}) as simulator:
            routes = {"long": ["house/small", "house/large"], "look": ["house/blind", "house/seeing"]}
            async with router_for(simulator, routes, logger=structlog.get_logger()) as router:
                await router.complete(model="long", messages=WORDY)
                await router.complete(model="look", messages=LOOK)
    structlog.reset_defaults()

    skipped = [event for event in heard if event["event"] == "target.skipped"]
    assert [event["field"] for event in skipped] == ["messages", "messages[0].content[1]"]


# How short a prompt can be at the very least


def request_of(*texts: str) -> ChatCompletion:
    return ChatCompletion.parse(
        {"model": "m", "messages": [{"role": "user", "content": text} for text in texts]}
    )


def test_words_and_characters_bound_a_prompt_from_below() -> None:
    assert least_prompt_tokens(request_of("five words are in here", "and two")) == 7
    assert least_prompt_tokens(request_of("x1" * 600)) == 100
    assert least_prompt_tokens(request_of("-" * 4000)) == 1
    assert least_prompt_tokens(request_of("Hi" + " " * 4000)) == 1
    parts = [{"type": "text", "text": "two words"}, IMAGE]
    request = ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": parts}]})
    assert least_prompt_tokens(request) == 2


@given(st.lists(st.text(max_size=200), min_size=1, max_size=4))
def test_the_least_is_never_more_than_half_the_characters(texts: list[str]) -> None:
    request = request_of(*texts)
    assert 0 <= least_prompt_tokens(request) <= sum((len(text) + 1) // 2 for text in texts)


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog. ",
        "implementation of international telecommunication standards ",
        "def area(width: float, height: float) -> float:\n    return width * height\n",
    ],
)
def test_prose_and_code_are_thought_little_longer_than_their_words(text: str) -> None:
    least = least_prompt_tokens(request_of(text * 50))
    assert least <= 1.25 * len(text.split()) * 50
    assert least <= prompt_tokens(request_of(text * 50))


# What fallbacks do not do that the first target does


def lacks(
    routes: dict[str, Any], models: dict[str, Any] | None = None, **providers: Any
) -> list[tuple[str, str]]:
    house = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "models": models or {}}
    settings = Settings.model_validate({"providers": {"house": house, **providers}, "routes": routes})
    return [(found.target, "; ".join(found.lacks)) for found in shortfalls(settings, {})]


ALL = dict.fromkeys(("images", "audio", "files", "tools", "forced_tools", "json_schema"), True)
NONE = dict.fromkeys(ALL, False)


def test_what_the_first_target_can_and_a_later_one_cannot_is_found() -> None:
    models = {
        "all": {**ALL, "thinking_off": True},
        "none": {**NONE, "thinking_off": False},
        "odd": {"images": False},
    }
    found = lacks({"r": ["house/all", "house/unknown", "house/none", "house/odd"]}, models)
    missing = "images, sound, files, tools, forced tool calls, answers after a schema, thinking switched off"
    words = " and ".join(f"no {word}" for word in missing.split(", "))
    assert found == [("house/none", words), ("house/odd", "no images")]
    assert lacks({"r": ["house/none", "house/all"], "s": ["house/odd", "house/none"]}, {"none": NONE}) == []


def test_sizes_are_compared_where_they_clearly_differ() -> None:
    models = {
        "large": {"context_window": 1_000_000, "output_limit": 64_000},
        "same": {"context_window": 991_000, "output_limit": 65_536},
        "small": {"context_window": 128_000, "output_limit": 8_000},
    }
    small = (
        "house/small",
        "its window holds 128000 tokens, not 1000000; its answers end at 8000 tokens, not 64000",
    )
    assert lacks({"r": ["house/large", "house/same", "house/small"]}, models) == [small]
    # long prompts have a way of their own
    way = {"chain": ["house/large", "house/small"], "context_window": ["house/unknown"]}
    assert lacks({"r": way}, models) == [("house/small", "its answers end at 8000 tokens, not 64000")]


def test_the_way_for_long_prompts_has_to_be_larger() -> None:
    models = {
        "first": {"context_window": 128_000, "images": True},
        "same": {"context_window": 128_000, "images": False},
    }
    way = {"chain": ["house/first"], "context_window": ["house/same"], "content_policy": ["house/same"]}
    assert lacks({"r": way}, models) == [
        (
            "house/same",
            "no images; prompts that are too long go there, and its window of 128000 tokens is no larger",
        )
    ]
    again = {"chain": ["house/first", "house/other"], "context_window": ["house/other"]}
    assert lacks({"r": again}, models) == []
    lenient = {"chain": ["house/first"], "content_policy": ["house/small"]}
    assert lacks({"r": lenient}, {**models, "small": {"context_window": 9_000}}) == [
        ("house/small", "its window holds 9000 tokens, not 128000")
    ]


def test_what_a_target_sets_for_itself_is_its_own_decision() -> None:
    models = {"all": {**ALL, "thinking_off": True, "output_limit": 9000},
              "none": {"json_schema": False, "thinking_off": False, "output_limit": 100}}  # fmt: skip
    own = {"reasoning_effort": "low", "response_format": None, "max_tokens": 50}
    assert lacks({"r": ["house/all", {"target": "house/none", "request": own}]}, models) == []


def test_a_shortfall_is_one_readable_line() -> None:
    models = {"all": ALL, "none": {"images": False}}
    house = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "models": models}
    settings = Settings.model_validate(
        {"providers": {"house": house}, "routes": {"r": ["house/all", "house/none"]}}
    )
    [found] = shortfalls(settings, {})
    assert str(found) == "route r: house/none falls short of house/all: no images"
