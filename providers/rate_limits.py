"""What providers tell in their headers of the allowances that they keep: how much is left, and until when.

Which headers are read, by what hosts are known to send (documentation and recorded answers of the hosts,
November 2026):

- `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`: OpenAI and most that copy it. OpenAI and Groq write
  resets as durations (`6m0s`, `825ms`), Azure as whole seconds with the length of the window in
  `x-ratelimit-renewalperiod-*`. Groq's requests are those of a day. OpenAI adds `-project-tokens`.
- the same with `-minute`, `-hour`, `-day` at the end: Cerebras (seconds); `-req-minute` and `-tokens-minute`
  without any reset: Mistral, which also counts tokens in `x-ratelimitbysize-*` and `ratelimitbysize-*`.
- `x-ratelimit-{limit,remaining,reset}` and `x-tokenlimit-{limit,remaining}`: Together, with one reset for
  both; OpenRouter has the first three, the reset in milliseconds since 1970. `ratelimit-*`: gateways that
  follow the IETF's draft.
- `x-ratelimit-*-tokens-{prompt,generated}`: Fireworks, where it tells more than its limits.
- `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`: Anthropic,
  resets as RFC 3339 dates.

A header that cannot be read, and a negative number, say nothing. Resets that are whole seconds, or dates,
were rounded, so they count for a second more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Literal, NamedTuple

from .waits import duration

Unit = Literal["requests", "tokens", "prompt", "answer"]
"""What an allowance counts: requests, all tokens, or those of prompts or answers alone."""

Now = Callable[[], datetime]
"""Tells the time of day."""

MINUTE = 60.0
_SPANS = MappingProxyType(
    {"second": 1.0, "minute": MINUTE, "hour": 3600.0, "day": 86400.0, "month": 30 * 86400.0}
)
_UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        "requests": "requests", "req": "requests",
        "tokens": "tokens",
        "input-tokens": "prompt", "tokens-prompt": "prompt", "tokens-cache-adjusted-prompt": "prompt",
        "output-tokens": "answer", "tokens-generated": "answer",
    }
)  # fmt: skip
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_PLAIN = re.compile(
    rf"^(?:x-ratelimit|x-rate-limit|ratelimit)-remaining(?:-(?:project-)?({_UNIT}))?(?:-({'|'.join(_SPANS)}))?$"
)
_ANTHROPIC = re.compile(rf"^anthropic-ratelimit-({_UNIT})-remaining$")
_BY_SIZE = re.compile(rf"^(?:x-)?ratelimitbysize-remaining(?:-({'|'.join(_SPANS)}))?$")
_TOGETHER = "x-tokenlimit-remaining"
_SINCE_1970 = 1e8  # more seconds than any reset is away
_MILLISECONDS = 1e11
_ENDLESS = float("inf")
_MOST_SETS = 16  # sets of header names that are remembered; a host sends one or two


class Reading(NamedTuple):
    """One allowance, as the headers of one answer tell it."""

    name: str
    """The header that tells what is left; the same allowance has the same name every time."""
    unit: Unit
    remaining: float
    limit: float | None
    """The whole of it, where that is told."""
    reset: float | None
    """Seconds until all of it will be there again, rounding included; None where that is not told."""
    span: float
    """Seconds that the allowance is for, where the name tells; else a minute."""


class _Family:
    """The headers of one allowance, and the limit that was read last, which seldom changes."""

    __slots__ = ("limit", "limit_text", "limit_value", "remaining", "reset", "span", "unit")

    def __init__(self, unit: Unit, remaining: str, limit: str, reset: str, span: float) -> None:
        self.unit = unit
        self.remaining = remaining
        self.limit = limit
        self.reset = reset
        self.span = span
        self.limit_text: str | None = None
        self.limit_value: float | None = None


class RateLimits:
    """Reads the allowances out of headers; remembers which headers a host sends."""

    __slots__ = ("_families",)

    def __init__(self) -> None:
        self._families: dict[tuple[str, ...], tuple[_Family, ...]] = {}

    def read(self, headers: Mapping[str, str], now: Now | None = None) -> list[Reading]:
        """All allowances that the headers tell, names in lower case.

        Dates count from the answer's own `date`, else from `now`; with neither they say nothing.
        """
        names = tuple([name for name in headers if "limit" in name])
        if not names:
            return []
        families = self._families.get(names)
        if families is None:
            if len(self._families) >= _MOST_SETS:
                self._families.clear()
            families = self._families[names] = tuple(_families(headers))
        found = []
        for family in families:
            try:
                remaining = float(headers[family.remaining])
            except (KeyError, ValueError):
                continue
            if not 0 <= remaining < _ENDLESS:
                continue
            limit = headers.get(family.limit)
            if limit != family.limit_text:
                family.limit_text, family.limit_value = limit, _number(limit)
            reset = headers.get(family.reset)
            seconds = None if reset is None else _reset(reset, headers, now)
            found.append(
                Reading(family.remaining, family.unit, remaining, family.limit_value, seconds, family.span)
            )
        return found


def _families(headers: Mapping[str, str]) -> Iterator[_Family]:
    """The allowances that a set of headers tells of, by their names."""
    for name in headers:
        limit, reset = name.replace("remaining", "limit"), name.replace("remaining", "reset")
        if found := _PLAIN.match(name):
            span = _SPANS.get(found[2] or "")
            if span is None:
                period = name.replace("remaining", "renewalperiod")
                span = _number(headers.get(period)) or MINUTE
            yield _Family(_UNITS[found[1] or "requests"], name, limit, reset, span)
        elif found := _ANTHROPIC.match(name):
            yield _Family(_UNITS[found[1]], name, limit, reset, MINUTE)
        elif found := _BY_SIZE.match(name):
            yield _Family("tokens", name, limit, reset, _SPANS[found[1] or "minute"])
        elif name == _TOGETHER:
            yield _Family("tokens", name, limit, "x-ratelimit-reset", MINUTE)


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < _ENDLESS else None


def _reset(text: str, headers: Mapping[str, str], now: Now | None) -> float | None:
    """Seconds until a reset; None where nothing, or nothing that can be read, is told."""
    last = text[-1:]
    if last == "s":  # the commonest: `825ms`, `7.66s`, `12s`
        try:
            if text[-2] == "m":
                return float(text[:-2]) / 1000
            return float(text[:-1]) + (0.0 if "." in text else 1.0)
        except (ValueError, IndexError):
            return duration(text)
    if last in ("m", "h", "d"):
        return duration(text)
    number = _number(text)
    if number is None:
        moment = _date(text)
        return None if moment is None else _away(moment.timestamp(), headers, now)
    if number > _SINCE_1970:
        return _away(number / 1000 if number > _MILLISECONDS else number, headers, now)
    if number == 0:
        return None  # Azure's word for an allowance that is not used up
    return number if "." in text else number + 1.0


def _away(moment: float, headers: Mapping[str, str], now: Now | None) -> float | None:
    """Seconds until a time since 1970, by the server's own clock where it tells it."""
    here = _date(headers.get("date", "")) or (None if now is None else now())
    return None if here is None else max(moment - here.timestamp(), 0.0) + 1.0


def _date(text: str) -> datetime | None:
    """An HTTP date or an RFC 3339 one, where it names its time zone."""
    try:
        date = parsedate_to_datetime(text) if text[:1].isalpha() else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else None
