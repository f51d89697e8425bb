"""The price book: which row of prices holds for a target, where it comes from, and as of when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Self

from .entries import Entries
from .settings import PriceRow

_DATED = re.compile(r"(?P<undated>.+?)(?:-\d{4}-\d{2}-\d{2}|[-@]\d{8}|@default)?(?:-v\d+:\d+)?")


_PRESETS = re.compile(r"[\w-]+(?=[],])")
"""The names in the list that a group of the seed begins with."""


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
        """The book that comes with turnout (`prices.yaml`), without any price of the user's."""
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


class _Seed(Mapping[str, Price]):
    """The prices of the seed by `preset/model`, each read when it is first asked for."""

    def __init__(self, file: Path) -> None:
        self._entries = Entries(file)
        self._groups: dict[str, list[int]] = {}  # preset -> the places of the groups that begin with its name
        for place, group in enumerate(self._entries.texts):
            for preset in _PRESETS.findall(group.partition("\n")[0]):
                self._groups.setdefault(preset, []).append(place)
        self._told: dict[str, dict[str, _Told]] = {}
        self._made: dict[str, Price] = {}

    def __getitem__(self, name: str) -> Price:
        price = self._made.get(name)
        if price is None:
            told = self._of(name.partition("/")[0])[name]
            price = self._made[name] = Price(PriceRow.model_validate(told.row), name, told.as_of, told.source)
        return price

    def _of(self, preset: str) -> Mapping[str, _Told]:
        """What the seed says of a preset's models."""
        if preset not in self._told and preset in self._groups:
            groups = [self._entries.parsed(place)[-1] for place in self._groups[preset]]
            self._told[preset] = {
                f"{preset}/{prefix}{model}": _Told(row, group["as_of"], group["source"])
                for group in groups
                for prefix in group.get("prefixes", ("",))
                for model, row in group["models"].items()
            }
        return self._told.get(preset, {})

    def __iter__(self) -> Iterator[str]:
        return (name for preset in self._groups for name in self._of(preset))

    def __len__(self) -> int:
        return sum(len(self._of(preset)) for preset in self._groups)


class _Told(NamedTuple):
    """A row of the seed as it is written."""

    row: object
    as_of: date
    source: str


@cache
def _seed() -> Mapping[str, Price]:
    return _Seed(Path(__file__).with_name("prices.yaml"))
