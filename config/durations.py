"""Humane spellings of time and money: `250ms`, `30s`, `2m`, `$0.50`."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def parse_duration(value: object) -> float:
    """Seconds out of `"1m30s"`, `"250ms"` or a plain number of seconds; ValueError for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        text = value.strip()
        parts = _DURATION.findall(text)
        if not parts or _DURATION.sub("", text).strip():
            raise ValueError(f"{value!r} is not a duration; write it like 250ms, 30s or 2m")
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    else:
        raise ValueError("a duration is written like 250ms, 30s or 2m")  # noqa: TRY004 - pydantic wants ValueError
    if not 0 <= seconds < float("inf"):
        raise ValueError("a duration must be finite and not negative")
    return seconds


def parse_money(value: object) -> Decimal:
    """US dollars out of `"$5"`, `"0.50"` or a number; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise ValueError("an amount of money is written like $5 or 0.50")
    try:
        amount = Decimal(str(value).strip().removeprefix("$"))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not an amount of money; write it like $5 or 0.50") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError("an amount of money must be finite and not negative")
    return amount


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$"}]}),
]
Money = Annotated[
    Decimal,
    BeforeValidator(parse_money),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\$?\d+(\.\d+)?$"}]}),
]
