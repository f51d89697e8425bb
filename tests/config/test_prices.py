"""The price book and its seed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.prices import Price, PriceBook
from turnout.config.settings import PriceRow, PriceTier

SEED = PriceBook.seed()
ROWS = sorted(SEED.rows.items())


def row(amount: float) -> PriceRow:
    """A row that is recognized by its amount."""
    return PriceRow.model_validate(amount)


def found(prices: Mapping[str, float], target: str, preset: str | None = None) -> tuple[str, float] | None:
    """The name and the input price that a target of these prices has."""
    book = SEED.with_overrides({name: row(amount) for name, amount in prices.items()})
    provider, _, model = target.partition("/")
    price = book.find(provider, model, preset)
    return None if price is None else (price.name, float(price.row.input))


@pytest.mark.parametrize(("name", "price"), ROWS, ids=[name for name, _ in ROWS])
def test_every_row_says_where_it_is_from_and_is_plausible(name: str, price: object) -> None:
    entry = SEED.rows[name]
    assert entry.name == name
    assert entry.source is not None
    assert entry.source.startswith("https://")
    assert entry.as_of is not None
    assert date(2026, 1, 1) <= entry.as_of <= date(2026, 11, 21)
    assert 0 < entry.row.input <= entry.row.output < 1000
    tiers: list[PriceRow | PriceTier] = [entry.row, *entry.row.above]
    for tier in tiers:
        assert tier.cached is None or tier.cached < tier.input
        assert tier.cache_write is None or tier.cache_write > tier.input
        assert tier.cache_write_1h is None or tier.cache_write is not None
        assert tier.cache_write_1h is None or tier.cache_write_1h == 2 * tier.input
    amounts = [tier.input for tier in tiers]
    assert amounts == sorted(amounts)


def test_the_seed_knows_the_models_people_use() -> None:
    for preset, models in {
        "openai": "gpt-5 gpt-5-mini gpt-5-nano gpt-5.1 gpt-4.1 gpt-4.1-mini gpt-4o gpt-4o-mini o3 o4-mini",
        "anthropic": "claude-opus-4-1 claude-sonnet-4-5 claude-haiku-4-5 claude-opus-5-5 claude-fable-5-1",
        "vertex-anthropic": "claude-opus-4-5@20251101 claude-sonnet-5@default claude-haiku-4-5",
        "bedrock": "anthropic.claude-opus-4-6-v1 us.anthropic.claude-haiku-4-5-20251001-v1:0 amazon.nova-pro",
        "vertex": "gemini-2.5-pro gemini-3-flash-preview",
        "cohere": "command-a-03-2025 command-r7b-12-2024",
        "gemini": "gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite",
        "dashscope": "qwen-plus qwen3-max qwen-flash qwen-turbo",
        "deepseek": "deepseek-chat deepseek-reasoner",
        "mistral": "mistral-large-latest",
    }.items():
        for model in models.split():
            assert SEED.find("anything", model, preset) is not None, model


def test_prices_that_depend_on_the_prompt_and_on_thinking() -> None:
    gemini = SEED.find("g", "gemini-2.5-pro", "gemini")
    assert gemini is not None
    assert [tier.prompt_tokens for tier in gemini.row.above] == [200_000]
    qwen = SEED.find("q", "qwen-plus", "dashscope")
    assert qwen is not None
    assert [qwen.row.output, qwen.row.thinking_output, qwen.row.reasoning] == [Decimal("1.2"), 4, 4]
    assert SEED.find("q", "qwen-plus", "qwen") is not None


def test_regional_profiles_of_bedrock_cost_a_tenth_more_and_unknown_ones_are_unknown() -> None:
    def price(model: str) -> Price:
        found_ = SEED.find("b", model, "bedrock")
        assert found_ is not None
        return found_

    plain = price("anthropic.claude-sonnet-4-5-20250929-v1:0").row
    arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/"
    everywhere = price(f"{arn}global.anthropic.claude-sonnet-4-5-20250929-v1:0")
    regional = price(f"{arn}eu.anthropic.claude-sonnet-4-5-20250929-v1:0")
    assert everywhere.row == plain
    for one, dearer in zip((plain, *plain.above), (regional.row, *regional.row.above), strict=True):
        for bucket in ("input", "cached", "cache_write", "cache_write_1h", "output"):
            assert getattr(dearer, bucket) == getattr(one, bucket) * Decimal("1.1")
    assert SEED.find("b", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock") is None
    assert SEED.find("b", f"{arn}abcdef012345", "bedrock") is None


def test_an_hour_in_anthropics_cache_costs_twice_the_input() -> None:
    rows = [price.row for name, price in ROWS if name.startswith("anthropic/")]
    assert rows
    assert all(row.cache_write_1h == 2 * row.input for row in rows)


def test_a_dated_name_takes_the_row_of_its_undated_name() -> None:
    assert found({}, "x/claude-haiku-4-5@20251001", "vertex-anthropic") == (
        "vertex-anthropic/claude-haiku-4-5",
        1,
    )
    assert found({"x/nova": 7}, "x/nova-v1:0") == ("x/nova", 7)
    assert found({}, "x/gpt-5-mini-2025-08-07", "openai") == ("openai/gpt-5-mini", 0.25)
    assert found({}, "x/claude-opus-4-1-20250805", "anthropic") == ("anthropic/claude-opus-4-1", 15)
    assert found({}, "x/gpt-4o-2024-05-13", "openai") == (
        "openai/gpt-4o-2024-05-13",
        5,
    )  # has a row of its own
    assert found({}, "x/gpt-5-mini-2025", "openai") is None
    assert found({}, "x/mistral-large-2411", "mistral") is None


def test_nobody_knows_is_not_free() -> None:
    assert found({}, "openai/gpt-5", None) is None
    assert found({}, "openai/gpt-5", "azure") is None
    assert found({}, "openai/no-such-model", "openai") is None


def test_the_users_prices_win_over_the_seed_by_the_configured_name() -> None:
    assert found({"mine/gpt-5": 7}, "mine/gpt-5", "openai") == ("mine/gpt-5", 7)
    assert found({"mine/gpt-5": 7}, "other/gpt-5", "openai") == ("openai/gpt-5", 1.25)
    assert found({"mine/gpt-5": 7}, "mine/gpt-5-2025-08-07", "openai") == ("mine/gpt-5", 7)


def test_exact_before_patterns_and_the_longest_pattern_first() -> None:
    prices = {"*": 1, "house/*": 2, "house/large-*": 3, "house/*-v2": 4, "house/large-v1": 5, "*/free": 6}
    assert found(prices, "house/large-v1") == ("house/large-v1", 5)
    assert found(prices, "house/large-v3") == ("house/large-*", 3)
    assert found(prices, "house/small-v2") == ("house/*-v2", 4)
    assert found(prices, "house/small") == ("house/*", 2)
    assert found(prices, "annex/free") == ("*/free", 6)
    assert found(prices, "annex/a/b") == ("*", 1)
    assert found({"a/*b*c": 1}, "a/xbxbxc") == ("a/*b*c", 1)
    assert found({"a/*b*b": 1}, "a/xb") is None
    assert found({"a/x*x": 1}, "a/x") is None


def test_a_book_never_changes() -> None:
    first = SEED.with_overrides({"a/b": row(1)})
    second = first.with_overrides({"a/b": row(2), "a/c": row(3)})
    assert [book.find("a", "b", None) is None for book in (SEED, first, second)] == [True, False, False]
    price = second.find("a", "b", None)
    assert price is not None
    assert price.row.input == 2
    assert price.as_of is None
    assert price.source is None
    with pytest.raises(TypeError):
        SEED.rows["x"] = price  # type: ignore[index]


@given(st.text(st.sampled_from("ab-./*"), max_size=8), st.text(st.sampled_from("ab-./"), max_size=8))
def test_a_star_stands_for_any_run_of_characters(pattern: str, name: str) -> None:
    provider, _, model = f"{name}/x".partition("/")
    price = PriceBook({}, {f"*{pattern}": row(1)}).find(provider, model, None)
    assert (price is not None) == fnmatchcase(f"{provider}/{model}", f"*{pattern}")
