"""A gallery of requests that break the contract, each refused with the path of what is wrong.

The gallery is data, so that a live server can be held to the same. `1e999` in it reads as infinity.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from turnout.providers.chat import ChatCompletion
from turnout.providers.errors import RequestError

GALLERY = Path(__file__).parents[2] / "fixtures" / "bad_requests.json"
BAD: list[tuple[str, dict[str, Any], str]] = [
    (case["id"], case["request"], case["field"]) for case in json.loads(GALLERY.read_text(encoding="utf-8"))
]

every_bad_request = pytest.mark.parametrize(
    ("request_", "field"), [pytest.param(bad, field, id=name) for name, bad, field in BAD]
)


@every_bad_request
def test_the_error_names_the_field(request_: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        ChatCompletion.parse(request_)
    assert caught.value.field == field


@every_bad_request
def test_the_message_is_one_short_sentence(request_: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        ChatCompletion.parse(request_)
    path, _, sentence = str(caught.value).partition(": ")
    assert path == field
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert len(sentence) < 120
    assert "\n" not in sentence


@every_bad_request
def test_the_constructor_refuses_it_too(request_: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError):
        ChatCompletion(**request_)


@pytest.mark.parametrize("value", [None, 5, "hi", [], [("model", "m")]])
def test_a_request_is_an_object(value: Any) -> None:
    with pytest.raises(RequestError, match="must be an object") as caught:
        ChatCompletion.parse(value)
    assert caught.value.field is None


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("given", "field"),
    [
        (lambda number: {"temperature": number}, "temperature"),
        (lambda number: {"logit_bias": {"1": number}}, "logit_bias.1"),
        (lambda number: {"min_p": number}, "min_p"),
        (lambda number: {"chat_template_kwargs": {"a": [{"b": number}]}}, "chat_template_kwargs.a[0].b"),
        (lambda number: {"web_search_options": {"radius": number}}, "web_search_options.radius"),
    ],
)
def test_numbers_that_json_cannot_say_are_refused(number: float, given: Any, field: str) -> None:
    with pytest.raises(RequestError, match="finite") as caught:
        ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "hi"}], **given(number)})
    assert caught.value.field == field


def _loop() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "a value that JSON can say"),
        ({1, 2}, "a value that JSON can say"),
        (b"bytes", "a value that JSON can say"),
        (_loop(), "nested too deeply"),
    ],
)
def test_values_that_json_cannot_say_are_refused(value: Any, reason: str) -> None:
    with pytest.raises(RequestError, match=reason) as caught:
        ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "hi"}], "house": value})
    assert caught.value.field == "house"


def test_keys_that_json_cannot_say_are_refused() -> None:
    with pytest.raises(RequestError, match="Keys must be text") as caught:
        ChatCompletion.parse(
            {"model": "m", "messages": [{"role": "user", "content": "hi"}], "house": {"a": {(1, 2): 3}}}
        )
    assert caught.value.field == "house.a"


def test_no_message_repeats_what_was_given() -> None:
    secret = "data:image/png;base64," + "c2VjcmV0" * 10_000
    for content in (
        [{"type": "image_url", "image_url": secret}],
        [{"type": "input_audio", "input_audio": {"data": secret, "format": secret}}],
        [{"type": "text", "text": {"text": secret}}],
        {"text": secret},
    ):
        with pytest.raises(RequestError) as caught:
            ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": content}]})
        assert "c2VjcmV0" not in repr(caught.value)
        assert len(str(caught.value)) < 200
        assert caught.value.__cause__ is None


def test_a_path_never_grows_with_the_names_in_a_request() -> None:
    with pytest.raises(RequestError) as caught:
        ChatCompletion.parse(
            {"model": "m", "messages": [{"role": "user", "content": "hi"}], "logit_bias": {"9" * 5000: 500}}
        )
    assert len(str(caught.value)) < 200
