"""What a call costs, in exact decimals, and where the number comes from. Nothing here rounds."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal

from turnout.config.prices import Price
from turnout.config.settings import PriceRow, PriceTier
from turnout.providers.chat import Cost, Usage

from .buckets import Buckets

_DIGITS = (
    300  # Money has no bound on its digits; this many hold any token count times any price worth writing
)
_REPORTABLE = 12  # a provider's own figure of a trillion dollars or more is noise, not a bill


def cost_of(
    usage: Usage | None,
    price: Price | None,
    *,
    reported: Decimal | None = None,
    local: bool = False,
    estimated: bool = False,
) -> Cost:
    """What an attempt cost, in US dollars; the best source there is decides the `basis`.

    1. `reported`: what the provider says it charged. Not finite, negative or absurd: taken as not said.
    2. `priced`: `usage` times `price`; `estimated` instead where `estimated` says that the usage is a guess.
    3. `local` targets, where no price says otherwise: 0, priced as `local = 0`.
    4. `unknown`: the amount is None, never 0.
    """
    if reported is not None and _credible(reported):
        return Cost(amount=reported, basis="reported", price="reported by the provider")
    if usage is not None and price is not None:
        amount = amount_of(Buckets.of(usage), price.row)
        return Cost(amount=amount, basis="estimated" if estimated else "priced", price=_label(price))
    if local and price is None:
        return Cost(amount=Decimal(0), basis="priced", price="local = 0")
    return Cost(amount=None, basis="unknown", price=None)


def amount_of(buckets: Buckets, row: PriceRow) -> Decimal:
    """US dollars for these tokens at this row: the exact sum of tokens times price per million."""
    tier = _tier(row, buckets.prompt)
    output, reasoning = tier.output, _either(tier.reasoning, tier.output)
    if buckets.reasoning and tier.thinking_output is not None:
        output = reasoning = tier.thinking_output
    written = _either(tier.cache_write, tier.input)
    dollars = (
        (buckets.input, tier.input),
        (buckets.cached, _either(tier.cached, tier.input)),
        (buckets.cache_write, written),
        (buckets.cache_write_1h, _either(tier.cache_write_1h, written)),
        # tiers state no prices of sound: the row's own hold at every length
        (buckets.audio_input, _either(row.audio_input, tier.input)),
        (buckets.output, output),
        (buckets.reasoning, reasoning),
        (buckets.audio_output, _either(row.audio_output, output)),
    )
    exact = Context(prec=_DIGITS)
    millions = Decimal(0)
    for tokens, per_million in dollars:
        millions = exact.add(millions, exact.multiply(Decimal(tokens), per_million))
    return exact.scaleb(millions, -6)


def add_exactly(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of `amounts`, without the rounding to 28 digits of Python's default decimal context."""
    exact = Context(prec=_DIGITS)
    total = Decimal(0)
    for amount in amounts:
        total = exact.add(total, amount)
    return total


def _tier(row: PriceRow, prompt_tokens: int) -> PriceRow | PriceTier:
    over = [tier for tier in row.above if tier.prompt_tokens < prompt_tokens]
    return max(over, key=lambda tier: tier.prompt_tokens, default=row)


def _either(price: Decimal | None, fallback: Decimal) -> Decimal:
    return fallback if price is None else price


def _credible(reported: Decimal) -> bool:
    return reported.is_finite() and reported >= 0 and reported.adjusted() < _REPORTABLE


def _label(price: Price) -> str:
    return price.name if price.as_of is None else f"{price.name} as of {price.as_of.isoformat()}"
