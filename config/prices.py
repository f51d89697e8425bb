"""The price book: which row of prices holds for a target, where it comes from, and as of when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from .seeds import Seed
from .settings import PriceRow

_DATED = re.compile(r"(?P<undated>.+?)(?:-\d{4}-\d{2}-\d{2}|[-@]\d{8}|@default)?(?:-v\d+:\d+)?")


class Price(NamedTuple):
    """The prices that hold for a target, and where they stand."""

    row: PriceRow
    """US dollars per million tokens."""
    name: str
    """Which row: the user's own pattern, or `preset/model` of the seed."""
    as_of: date | None
    """The day on which the seed's row was true; None for the user's own prices."""
    source: str | None = None
    """The page that the seed's row comes from; None for the user's own prices."""


class PriceBook(NamedTuple):
    """Prices by target. It never changes: `with_overrides` gives a new one."""

    rows: Mapping[str, Price]
    """The seed: `preset/model` to its price."""
    overrides: Mapping[str, PriceRow]
    """The user's own prices: `provider/model`, where `*` stands for any run of characters."""

    @classmethod
    def seed(cls) -> Self:
        """The book that comes with turnout (written in `prices.yaml`), without any price of the user's."""
        return cls(_seed(), MappingProxyType({}))

    def with_overrides(self, prices: Mapping[str, PriceRow]) -> Self:
        """A book in which `prices`, such as `Settings.prices`, win over what is there."""
        return self._replace(overrides=MappingProxyType({**self.overrides, **prices}))

    def find(self, provider: str, model: str, preset: str | None) -> Price | None:
        """The price of a provider's model; None where nobody knows it, which is not the same as 0.

        The user's own prices are looked up by the configured name of the provider: the exact name, then the
        model's undated name, then patterns, the longest first. After them the seed is looked up by preset,
        exactly and then undated. Undated means without a date or a version at the end, such as `-YYYY-MM-DD`,
        `-YYYYMMDD`, `@YYYYMMDD` or `-v1:0`, and of an ARN only what follows its last slash.
        """
        names = _names(model)
        for name in names:
            if (row := self.overrides.get(f"{provider}/{name}")) is not None:
                return Price(row, f"{provider}/{name}", None)
        for pattern in sorted(self.overrides, key=lambda text: (-len(text), text)):
            if "*" in pattern and _matches(pattern, f"{provider}/{model}"):
                return Price(self.overrides[pattern], pattern, None)
        found = (self.rows.get(f"{preset}/{name}") for name in names)
        return next((price for price in found if price is not None), None)


def _names(model: str) -> tuple[str, ...]:
    name = model.rpartition("/")[2] if model.startswith("arn:") else model
    dated = _DATED.fullmatch(name)
    names = (model, name, name if dated is None else dated["undated"])
    return tuple(dict.fromkeys(names))


def _matches(pattern: str, name: str) -> bool:
    """Whether `name` fits, every `*` standing for any run of characters and everything else for itself."""
    first, *rest = pattern.split("*")
    last = rest.pop()
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    position, end = len(first), len(name) - len(last)
    for piece in rest:
        found = name.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


class _Prices(Mapping[str, Price]):
    """The prices of the seed by `preset/model`, each made when it is first asked for."""

    def __init__(self, seed: Mapping[str, Any]) -> None:
        self._seed = seed
        self._made: dict[str, Price] = {}

    def __getitem__(self, name: str) -> Price:
        price = self._made.get(name)
        if price is None:
            told = self._seed[name]
            row = PriceRow.model_validate(told["row"])
            as_of = date.fromisoformat(told["as_of"])
            price = self._made[name] = Price(row, name, as_of, told["source"])
        return price

    def __iter__(self) -> Iterator[str]:
        return iter(self._seed)

    def __len__(self) -> int:
        return len(self._seed)


@cache
def _seed() -> Mapping[str, Price]:
    return _Prices(Seed(Path(__file__).with_name("prices.json")))
