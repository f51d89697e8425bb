"""Humane spellings of time, money and numbers: `250ms`, `30s`, `2m`, `$0.50`.

None of them takes true or false for 1 or 0, nor 1 or 0 for true or false.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from .scalars import Substituted

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", re.ASCII)
_MONEY = re.compile(r"\$?\d+(\.\d+)?", re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds out of `"1m30s"`, `"250ms"` or a plain number of seconds; ValueError for anything else."""
    given = value.resolved() if isinstance(value, Substituted) else value
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        seconds = _float(given)
    elif isinstance(given, str):
        text = given.strip()
        parts = _DURATION.findall(text)
        if not parts or _DURATION.sub("", text).strip():
            raise ValueError(f"{value!r} is not a duration; write it like 250ms, 30s or 2m")
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    else:
        raise ValueError("a duration is written like 250ms, 30s or 2m")  # noqa: TRY004 - pydantic wants ValueError
    if not 0 <= seconds < float("inf"):
        raise ValueError("a duration must be finite and not negative")
    return seconds


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf")


def parse_money(value: object) -> Decimal:
    """US dollars out of `"$5"`, `"0.50"` or a number; ValueError for anything else."""
    given = value.resolved() if isinstance(value, Substituted) else value
    if isinstance(given, str):
        text = given.strip()
        if not _MONEY.fullmatch(text):
            raise ValueError(f"{value!r} is not an amount of money; write it like $5 or 0.50")
        return Decimal(text.removeprefix("$"))
    if isinstance(given, bool) or not isinstance(given, (int, float, Decimal)):
        raise ValueError("an amount of money is written like $5 or 0.50")  # noqa: TRY004 - as above
    amount = Decimal(str(given)) if isinstance(given, float) else Decimal(given)
    if not amount.is_finite() or amount < 0:
        raise ValueError("an amount of money must be finite and not negative")
    return amount


def parse_number(value: object) -> object:
    """A number as it is, or out of an environment variable; ValueError for true, false and quoted numbers."""
    given = value.resolved() if isinstance(value, Substituted) else value
    if isinstance(given, bool):
        raise ValueError("a number is expected here, not true or false")  # noqa: TRY004 - as above
    if isinstance(given, str):
        raise ValueError(f"{value!r} is not a number; write digits, without quotes")  # noqa: TRY004 - as above
    return given


def parse_flag(value: object) -> bool:
    """True or false, also out of an environment variable; ValueError for words and numbers."""
    given = value.resolved() if isinstance(value, Substituted) else value
    if not isinstance(given, bool):
        raise ValueError("write true or false, without quotes")  # noqa: TRY004 - as above
    return given


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$"},
            ]
        }
    ),
]
"""Seconds, written as `250ms`, `1m30s` or a plain number of seconds."""
Money = Annotated[
    Decimal,
    BeforeValidator(parse_money),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^\s*\$?\d+(\.\d+)?\s*$"},
            ]
        }
    ),
]
"""US dollars, written as `$5`, `0.50` or a number."""
Count = Annotated[int, BeforeValidator(parse_number)]
"""A whole number; neither true nor a quoted word."""
Flag = Annotated[bool, BeforeValidator(parse_flag)]
"""True or false; no word that only means it."""
Factor = Annotated[float, BeforeValidator(parse_number)]
"""A number; neither true nor a quoted word."""
