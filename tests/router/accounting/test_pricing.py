"""Money is exact, and says where it comes from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.accounting import Buckets, amount_of, cost_of
from turnout.config.prices import Price, PriceBook
from turnout.config.settings import PriceRow, PriceTier
from turnout.providers.chat import Usage

ROW = PriceRow(input=Decimal("0.40"), output=Decimal("1.20"))
PRICE = Price(row=ROW, name="qwen/qwen-plus", as_of=date(2026, 11, 21))
USAGE = Usage(prompt_tokens=1000, completion_tokens=500, total_tokens=1500)


def test_usage_times_price_is_the_cost() -> None:
    cost = cost_of(USAGE, PRICE)
    assert cost.amount == Decimal("0.001")  # 1000 x 0.40 + 500 x 1.20, per million
    assert cost.basis == "priced"
    assert cost.currency == "USD"
    assert cost.price == "qwen/qwen-plus as of 2026-11-21"


def test_a_price_of_the_users_own_has_no_date() -> None:
    assert cost_of(USAGE, Price(row=ROW, name="house/*", as_of=None)).price == "house/*"


def test_what_the_provider_reports_comes_first() -> None:
    cost = cost_of(USAGE, PRICE, reported=Decimal("0.0007"), local=True)
    assert (cost.amount, cost.basis) == (Decimal("0.0007"), "reported")


def test_a_reported_cost_of_nothing_is_nothing_and_not_unknown() -> None:
    cost = cost_of(None, None, reported=Decimal(0))
    assert (cost.amount, cost.basis) == (Decimal(0), "reported")


@pytest.mark.parametrize("nonsense", ["NaN", "Infinity", "-0.01", "1E+999999"])
def test_a_nonsensical_report_is_not_believed(nonsense: str) -> None:
    assert cost_of(USAGE, PRICE, reported=Decimal(nonsense)).basis == "priced"


def test_a_guessed_usage_makes_an_estimate() -> None:
    cost = cost_of(USAGE, PRICE, estimated=True)
    assert (cost.amount, cost.basis) == (Decimal("0.001"), "estimated")


def test_a_local_model_costs_nothing() -> None:
    cost = cost_of(USAGE, None, local=True)
    assert (cost.amount, cost.basis, cost.price) == (Decimal(0), "priced", "local = 0")


def test_a_local_model_that_the_user_prices_costs_that() -> None:
    assert cost_of(USAGE, PRICE, local=True).amount == Decimal("0.001")


@pytest.mark.parametrize(("usage", "price"), [(None, None), (USAGE, None), (None, PRICE)])
def test_unknown_is_none_and_never_zero(usage: Usage | None, price: Price | None) -> None:
    cost = cost_of(usage, price)
    assert cost.amount is None
    assert cost.basis == "unknown"


def test_each_bucket_has_its_own_price() -> None:
    row = PriceRow(
        input=Decimal(1),
        cached=Decimal(10),
        cache_write=Decimal(100),
        cache_write_1h=Decimal(10_000_000),
        audio_input=Decimal(1_000),
        output=Decimal(10_000),
        reasoning=Decimal(100_000),
        audio_output=Decimal(1_000_000),
    )
    assert amount_of(Buckets(1, 1, 1, 1, 1, 1, 1, 1), row) == Decimal("11.111111")


def test_a_bucket_without_a_price_costs_what_its_whole_costs() -> None:
    row = PriceRow(input=Decimal(3), output=Decimal(5))
    assert amount_of(Buckets(1, 1, 1, 1, 1, 1, 1, 1), row) == Decimal("0.000030")


def test_an_hour_in_the_cache_costs_what_any_write_costs_where_it_has_no_price_of_its_own() -> None:
    row = PriceRow(input=Decimal(3), output=Decimal(5), cache_write=Decimal(4))
    assert amount_of(Buckets(cache_write=1, cache_write_1h=1), row) == Decimal("0.000008")


def test_a_bill_with_both_kinds_of_cache_writes_is_right_to_the_cent() -> None:
    """Claude Opus 4.5: 5 in, 6.25 and 10 for writes of five minutes and of an hour, 0.50 read, 25 out."""
    usage = Usage(
        prompt_tokens=1_000_000,
        completion_tokens=100_000,
        prompt_tokens_details={"cached_tokens": 400_000, "cache_write_tokens": 300_000},  # type: ignore[arg-type]
        cache_creation={"ephemeral_5m_input_tokens": 100_000, "ephemeral_1h_input_tokens": 200_000},  # type: ignore[call-arg]
    )
    price = PriceBook.seed().find("claude", "claude-opus-4-5-20251101", "anthropic")
    cost = cost_of(usage, price)
    # 300 000 plain, 400 000 read, 100 000 and 200 000 written, 100 000 answered
    assert cost.amount == Decimal("1.5") + Decimal("0.2") + Decimal("0.625") + Decimal("2") + Decimal("2.5")
    assert cost.price == "anthropic/claude-opus-4-5 as of 2026-10-24"


def test_a_tier_prices_an_hour_in_the_cache_for_itself() -> None:
    tier = PriceTier(prompt_tokens=1, input=Decimal(2), output=Decimal(2), cache_write_1h=Decimal(9))
    row = PriceRow(input=Decimal(1), output=Decimal(1), cache_write_1h=Decimal(7), above=(tier,))
    assert amount_of(Buckets(cache_write_1h=2), row) == Decimal("0.000018")


def test_an_answer_with_reasoning_may_cost_more_altogether() -> None:
    row = PriceRow(input=Decimal(0), output=Decimal(2), thinking_output=Decimal(9))
    assert amount_of(Buckets(output=10), row) == Decimal("0.00002")
    assert amount_of(Buckets(output=10, reasoning=1), row) == Decimal("0.000099")


def test_a_price_of_zero_is_a_price() -> None:
    row = PriceRow(input=Decimal(3), output=Decimal(5), cached=Decimal(0), reasoning=Decimal(0))
    assert amount_of(Buckets(cached=9, reasoning=9), row) == 0


@pytest.mark.parametrize(
    ("prompt", "per_million"), [(1, 1), (128_000, 1), (128_001, 2), (200_000, 2), (200_001, 4), (10**7, 4)]
)
def test_long_prompts_cost_what_the_longest_tier_below_them_says(prompt: int, per_million: int) -> None:
    row = PriceRow(
        input=Decimal(1),
        output=Decimal(0),
        above=(
            PriceTier(prompt_tokens=128_000, input=Decimal(2), output=Decimal(0)),
            PriceTier(prompt_tokens=200_000, input=Decimal(4), output=Decimal(0)),
        ),
    )
    # the length of the whole prompt decides, what came from the cache included
    assert amount_of(Buckets(input=prompt - 1, cached=1), row) == Decimal(prompt * per_million) / 1_000_000


def test_a_tier_keeps_the_rows_price_of_sound() -> None:
    tier = PriceTier(prompt_tokens=1, input=Decimal(2), output=Decimal(2))
    row = PriceRow(
        input=Decimal(1), output=Decimal(1), audio_input=Decimal(7), audio_output=Decimal(9), above=(tier,)
    )
    assert amount_of(Buckets(audio_input=2, audio_output=1), row) == Decimal("0.000023")


money = st.decimals(min_value=0, max_value=10**6, places=12)
tokens = st.integers(0, 10**12)


@given(st.builds(Buckets, *[tokens] * 8), money, money, st.none() | money, st.none() | money)
def test_no_digit_is_ever_rounded_away(
    cut: Buckets, input_: Decimal, output: Decimal, cached: Decimal | None, reasoning: Decimal | None
) -> None:
    row = PriceRow(input=input_, output=output, cached=cached, reasoning=reasoning)
    exact = (
        (cut.input + cut.cache_write + cut.cache_write_1h + cut.audio_input) * Fraction(input_)
        + cut.cached * Fraction(input_ if cached is None else cached)
        + (cut.output + cut.audio_output) * Fraction(output)
        + cut.reasoning * Fraction(output if reasoning is None else reasoning)
    ) / 1_000_000
    assert Fraction(amount_of(cut, row)) == exact
