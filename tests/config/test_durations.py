"""Time, money and numbers as people write them."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.durations import parse_duration, parse_flag, parse_money, parse_number
from turnout.config.scalars import Substituted

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("2m", 120),
        ("1m30s", 90),
        ("1h 5m", 3900),
        ("1.5 s", 1.5),
        ("1d", 86400),
        (5, 5),
        (0, 0),
        (0.25, 0.25),
        (Substituted("5", "${D}"), 5),
        (Substituted("2m", "${D}"), 120),
    ],
)
def test_durations_in_seconds(written: object, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["", "5", "soon", "-5s", "5 parsecs", "5s later", True, None, [], -1, float("nan"),
                float("inf"), 10**400, "9" * 400 + "s", "\u0665s", Substituted("soon", "${D}")],
)  # fmt: skip
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(sorted(UNITS))), min_size=1, max_size=4))
def test_parts_of_a_duration_add_up(parts: list[tuple[int, str]]) -> None:
    written = " ".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(written) == pytest.approx(sum(number * UNITS[unit] for number, unit in parts))


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_duration(text) >= 0


@pytest.mark.parametrize(
    ("written", "dollars"),
    [
        ("$5", "5"), ("0.50", "0.50"), (" $0.20 ", "0.20"), (3, "3"), (0.1, "0.1"), (1e-7, "1E-7"),
        (Decimal("2.5"), "2.5"), (Substituted("$4", "${M}"), "4"), (Substituted("0.5", "${M}"), "0.5"),
    ],
)  # fmt: skip
def test_money_is_exact(written: object, dollars: str) -> None:
    assert parse_money(written) == Decimal(dollars)


@pytest.mark.parametrize(
    "written", ["", "free", "5 €", "-1", "$-1", "1e3", "1_000", "NaN", "Infinity", True, None, [], -1, -0.5,
                float("nan"), float("inf"), Decimal("NaN"), Decimal(-1), Substituted("x", "${M}")],
)  # fmt: skip
def test_what_is_no_money_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="money"):
        parse_money(written)


@given(st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False, allow_infinity=False))
def test_money_keeps_every_digit(amount: Decimal) -> None:
    assert parse_money(f"${amount:f}") == amount
    assert parse_money(amount) == amount


def test_a_number_may_come_from_the_environment_but_not_in_quotes() -> None:
    assert parse_number(Substituted("3", "${N}")) == 3
    assert parse_number(2.5) == 2.5
    for wrong in (True, "3", Substituted("three", "${N}"), Substituted("true", "${N}")):
        with pytest.raises(ValueError, match="number"):
            parse_number(wrong)


def test_true_and_false_are_said_by_themselves() -> None:
    assert parse_flag(True) is parse_flag(Substituted("true", "${ON}")) is True
    assert parse_flag(False) is parse_flag(Substituted("False", "${ON}")) is False
    for wrong in ("true", "yes", 1, 0, None, Substituted("on", "${ON}"), Substituted("", "${ON}")):
        with pytest.raises(ValueError, match="true or false"):
            parse_flag(wrong)


@pytest.mark.parametrize("parse", [parse_duration, parse_money, parse_number])
def test_no_message_shows_what_a_variable_holds(parse: object) -> None:
    assert callable(parse)
    with pytest.raises(ValueError) as caught:
        parse(Substituted("sk-secret", "${KEY}"))
    assert "sk-secret" not in str(caught.value)
    assert "${KEY}" in str(caught.value)
