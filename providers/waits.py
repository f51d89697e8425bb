"""How long a server asks to be left alone, in the ways that servers say so.

Sources: RFC 9110 10.2.3 (`retry-after`), the rate-limit headers of OpenAI (`6m0s`), Azure and Cerebras
(seconds), OpenRouter (epoch milliseconds) and Anthropic (RFC 3339 dates), and the sentences that hosts
write into their messages; read November 2026.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT = r"(ms|milliseconds?|msecs?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
_PIECE = re.compile(rf"(\d+(?:\.\d+)?)\s*{_UNIT}(?![a-z])")
_SENTENCE = re.compile(
    rf"(?:try again|retry|retrying|wait)(?:\s+your request)?\s+(?:in|after|for)\s+(?:about\s+)?"
    rf"((?:\d+(?:\.\d+)?\s*{_UNIT}(?![a-z])[\s,]*(?:and\s+)?)+|\d+(?:\.\d+)?)"
)
_REMAINING = re.compile(r"^(x-ratelimit|ratelimit|x-rate-limit)-remaining(-.+)?$")
_ANTHROPIC = re.compile(r"^(anthropic-ratelimit-.+)-remaining$")


def server_wait(headers: Mapping[str, str], message: str, *, now: datetime | None = None) -> float | None:
    """Seconds that the server asks us to wait, or None where it says nothing.

    The most precise word wins: `retry-after-ms`, `retry-after` (seconds or a date), the resets of those
    rate limits that are used up, then a sentence in `message` such as "try again in 2m13s".
    Dates count from the answer's own `date` header, which needs no agreement of clocks, else from `now`;
    with neither they say nothing. Header names are lower case.
    """
    now = _date(headers.get("date", "")) or now
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    wait = _number(value)
    if wait is None:
        wait = _until(_date(value), now)
    if wait is None:
        wait = duration(value)
    if wait is None:
        wait = max(_resets(headers, now), default=None)
    return wait if wait is not None else _sentence(message)


def duration(text: str) -> float | None:
    """Seconds in a duration such as `12ms`, `1s`, `6m0s` or `1 minute 30 seconds`; None for anything else."""
    text = text.strip().lower()
    total, end = 0.0, 0
    for piece in _PIECE.finditer(text):
        if text[end : piece.start()].strip(" ,").removeprefix("and").strip():
            return None
        total += float(piece[1]) * UNITS[_canonical(piece[2])]
        end = piece.end()
    return total if end and not text[end:].strip() and math.isfinite(total) else None


def _canonical(unit: str) -> str:
    return "ms" if unit.startswith(("ms", "mil")) else unit[0]


def _resets(headers: Mapping[str, str], now: datetime | None) -> Iterator[float]:
    """The waits of all limits with nothing left."""
    for name, value in headers.items():
        generic, anthropic = _REMAINING.match(name), _ANTHROPIC.match(name)
        if not (generic or anthropic) or _number(value) != 0:
            continue
        reset = f"{anthropic[1]}-reset" if anthropic else name.replace("-remaining", "-reset", 1)
        wait = _reset(headers.get(reset, ""), now)
        if wait is not None:
            yield wait


def _reset(value: str, now: datetime | None) -> float | None:
    number = _number(value)
    if number is None:
        wait = duration(value)
        return wait if wait is not None else _until(_date(value), now)
    if number < 1e8:
        return number
    # a span of years is none: the number is a time since 1970, in seconds or milliseconds
    seconds = number / 1000 if number > 1e11 else number
    return None if now is None else max(0.0, seconds - now.timestamp())


def _sentence(message: str) -> float | None:
    found = _SENTENCE.search(message[:4096].lower())
    if found is None:
        return None
    text = found[1].strip(" ,").removesuffix("and").strip(" ,")
    number = _number(text)
    return number if number is not None else duration(text)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(text: str) -> datetime | None:
    """An HTTP date or an RFC 3339 one."""
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text) if text[:1].isalpha() else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _until(date: datetime | None, now: datetime | None) -> float | None:
    return None if date is None or now is None else max(0.0, (date - now).total_seconds())
