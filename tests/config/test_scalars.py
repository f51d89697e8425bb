"""Unquoted words by YAML 1.2, and text that remembers what was written instead of what a variable holds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.scalars import Substituted, plain_scalar, resolved


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("017", 17),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-11-21", "2026-11-21"),
        ("word", "word"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_words_mean_what_the_core_schema_says(text: str, value: object) -> None:
    read = plain_scalar(text)
    assert read == value
    assert type(read) is type(value)


def test_not_a_number_is_a_number() -> None:
    read = plain_scalar(".nan")
    assert isinstance(read, float)
    assert math.isnan(read)


def test_a_word_of_endless_digits_stays_text() -> None:
    assert plain_scalar("9" * 5000) == "9" * 5000


@given(st.text())
def test_any_text_is_some_scalar(text: str) -> None:
    assert isinstance(plain_scalar(text), (str, int, float, bool, type(None)))


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_being_written(number: float) -> None:
    assert plain_scalar(repr(number)) == number


def test_the_repr_of_filled_in_text_is_what_was_written() -> None:
    text = Substituted("sk-secret", "${KEY}")
    assert repr(text) == "'${KEY}'"
    assert f"{text!r} is wrong" == "'${KEY}' is wrong"
    assert text == "sk-secret"


def test_filled_in_text_becomes_a_number_where_anything_may_stand() -> None:
    given_value = {
        "temperature": Substituted("0.5", "${T}"),
        "stop": [Substituted("1", "${S}", literal=True), "x"],
    }
    assert resolved(given_value) == {"temperature": 0.5, "stop": ["1", "x"]}
    assert resolved(7) == 7
