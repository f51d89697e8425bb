"""What a call costs, in exact decimals, and where the number comes from. Nothing here rounds."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal
from operator import mul
from typing import Literal, NamedTuple

from turnout.config.prices import Price
from turnout.config.settings import PriceRow, PriceTier
from turnout.providers.chat import Cost, Usage

from .buckets import Buckets, Counts, cut
from .making import made

Basis = Literal["reported", "priced", "estimated", "unknown"]

_DIGITS = (
    300  # Money has no bound on its digits; this many hold any token count times any price worth writing
)
_PER_MILLION = 6  # prices are written for ten to the power of this many tokens
_OF_PROMPT, _REASONING = 5, 6  # how many kinds of tokens are of the prompt; the place of those of thinking
_REPORTABLE = 12  # a provider's own figure of a trillion dollars or more is noise, not a bill


class Tariff:
    """A price made ready for adding up: all its numbers as whole numbers of one small unit."""

    __slots__ = ("_exact", "_tiers", "label")

    def __init__(self, price: Price) -> None:
        self.label = _label(price)
        """What a cost says of where its number comes from."""
        row = price.row
        over = sorted(row.above, key=lambda tier: tier.prompt_tokens, reverse=True)
        self._tiers = (
            *((tier.prompt_tokens, *_scales(row, tier)) for tier in over),
            (-1, *_scales(row, row)),
        )
        self._exact = exactly()

    def amount(self, counts: Counts) -> Decimal:
        """US dollars for these tokens: the exact sum of tokens times price per million."""
        prompt = sum(counts[:_OF_PROMPT])
        # the last tier begins below every prompt
        _, plain, thinking = next(tier for tier in self._tiers if tier[0] < prompt)
        scale = thinking if counts[_REASONING] else plain
        return Decimal(sum(map(mul, scale.prices, counts))).scaleb(scale.exponent, self._exact)


class _Scale(NamedTuple):
    """Prices per token by bucket, in units of 10 to the power of `exponent` dollars."""

    exponent: int
    prices: tuple[int, ...]


def cost_of(
    usage: Usage | None,
    price: Price | Tariff | None,
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
        return _cost(reported, "reported", "reported by the provider")
    if usage is not None and price is not None:
        tariff = Tariff(price) if isinstance(price, Price) else price
        amount = tariff.amount(cut(usage))
        return _cost(amount, "estimated" if estimated else "priced", tariff.label)
    if local and price is None:
        return free("local")
    return UNKNOWN


def free(why: str) -> Cost:
    """The cost of what is known to cost nothing."""
    return _cost(Decimal(0), "priced", f"{why} = 0")


def amount_of(buckets: Buckets, row: PriceRow) -> Decimal:
    """US dollars for these tokens at this row: the exact sum of tokens times price per million."""
    return Tariff(Price(row, "", None)).amount(buckets.counts)


def _cost(amount: Decimal | None, basis: Basis, price: str | None) -> Cost:
    return made(Cost, {"amount": amount, "currency": "USD", "basis": basis, "price": price}, extra={})


UNKNOWN = _cost(None, "unknown", None)
"""Nobody knows; not the same as nothing."""


def _scales(row: PriceRow, tier: PriceRow | PriceTier) -> tuple[_Scale, _Scale]:
    """The prices of a tier for answers without reasoning, and for those with some."""
    output, reasoning = tier.output, _either(tier.reasoning, tier.output)
    plain = _scale(row, tier, output, reasoning)
    if tier.thinking_output is None:
        return plain, plain
    return plain, _scale(row, tier, tier.thinking_output, tier.thinking_output)


def _scale(row: PriceRow, tier: PriceRow | PriceTier, output: Decimal, reasoning: Decimal) -> _Scale:
    written = _either(tier.cache_write, tier.input)
    prices = (
        tier.input,
        _either(tier.cached, tier.input),
        written,
        _either(tier.cache_write_1h, written),
        # tiers state no prices of sound: the row's own hold at every length
        _either(row.audio_input, tier.input),
        output,
        reasoning,
        _either(row.audio_output, output),
    )
    finest = min(0, *(_exponent(price) for price in prices))
    exact = exactly()
    whole = tuple(int(exact.scaleb(price, -finest)) for price in prices)
    return _Scale(finest - _PER_MILLION, whole)


def _exponent(price: Decimal) -> int:
    exponent = price.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - prices are finite, the settings see to that
    return exponent


def exactly() -> Context:
    """A context in which amounts of money are added and multiplied without rounding."""
    return Context(prec=_DIGITS)


def add_exactly(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of `amounts`, without the rounding to 28 digits of Python's default decimal context."""
    exact = exactly()
    total = Decimal(0)
    for amount in amounts:
        total = exact.add(total, amount)
    return total


def _either(price: Decimal | None, fallback: Decimal) -> Decimal:
    return fallback if price is None else price


def _credible(reported: Decimal) -> bool:
    return reported.is_finite() and reported >= 0 and reported.adjusted() < _REPORTABLE


def _label(price: Price) -> str:
    return price.name if price.as_of is None else f"{price.name} as of {price.as_of.isoformat()}"
