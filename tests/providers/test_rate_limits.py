"""What hosts tell of their allowances, as they are known to write it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.providers.rate_limits import RateLimits, Reading

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

OPENAI = {
    "x-ratelimit-limit-requests": "600",
    "x-ratelimit-limit-tokens": "60000",
    "x-ratelimit-remaining-requests": "599",
    "x-ratelimit-remaining-tokens": "59900",
    "x-ratelimit-reset-requests": "100ms",
    "x-ratelimit-reset-tokens": "6m0s",
}
GROQ = {
    "x-ratelimit-limit-requests": "1000",
    "x-ratelimit-remaining-requests": "999",
    "x-ratelimit-reset-requests": "1m26.4s",
}
AZURE = {
    "x-ratelimit-limit-requests": "9000",
    "x-ratelimit-remaining-requests": "8999",
    "x-ratelimit-renewalperiod-requests": "10",
    "x-ratelimit-reset-requests": "0",
    "x-ratelimit-limit-tokens": "1500000",
    "x-ratelimit-remaining-tokens": "745399",
    "x-ratelimit-renewalperiod-tokens": "60",
    "x-ratelimit-reset-tokens": "30",
}
CEREBRAS = {
    "x-ratelimit-limit-requests-day": "14400",
    "x-ratelimit-remaining-requests-day": "13693",
    "x-ratelimit-reset-requests-day": "11726.25",
    "x-ratelimit-limit-tokens-minute": "60000",
    "x-ratelimit-remaining-tokens-minute": "41000",
    "x-ratelimit-reset-tokens-minute": "26.5",
}
MISTRAL = {
    "x-ratelimit-limit-req-minute": "5",
    "x-ratelimit-remaining-req-minute": "4",
    "x-ratelimitbysize-limit-month": "1000000",
    "x-ratelimitbysize-remaining-month": "999000",
    "ratelimitbysize-limit": "500000",
    "ratelimitbysize-remaining": "499000",
    "ratelimitbysize-reset": "12",
}
TOGETHER = {
    "x-ratelimit-limit": "10",
    "x-ratelimit-remaining": "4",
    "x-ratelimit-reset": "0.075",
    "x-tokenlimit-limit": "100",
    "x-tokenlimit-remaining": "20",
}
OPENROUTER = {
    "x-ratelimit-limit": "20",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": str(int(NOW.timestamp() * 1000) + 30_000),
}
FIREWORKS = {
    "x-ratelimit-limit-tokens-prompt": "60000",
    "x-ratelimit-remaining-tokens-prompt": "50000",
    "x-ratelimit-limit-tokens-generated": "6000",
    "x-ratelimit-remaining-tokens-generated": "5000",
}
ANTHROPIC = {
    "date": "Sat, 21 Nov 2026 12:00:00 GMT",
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:01Z",
    "anthropic-ratelimit-input-tokens-limit": "400000",
    "anthropic-ratelimit-input-tokens-remaining": "399000",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-21T12:00:10Z",
    "anthropic-ratelimit-output-tokens-limit": "80000",
    "anthropic-ratelimit-output-tokens-remaining": "79000",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-21T12:00:00Z",
}
IETF = {"ratelimit-limit": "100", "ratelimit-remaining": "7", "ratelimit-reset": "51"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (OPENAI, {("requests", 599, 600, 0.1, 60), ("tokens", 59900, 60000, 360.0, 60)}),
        (GROQ, {("requests", 999, 1000, 86.4, 60)}),
        (AZURE, {("requests", 8999, 9000, None, 10), ("tokens", 745399, 1500000, 31, 60)}),
        (CEREBRAS, {("requests", 13693, 14400, 11726.25, 86400), ("tokens", 41000, 60000, 26.5, 60)}),
        (
            MISTRAL,
            {
                ("requests", 4, 5, None, 60),
                ("tokens", 999000, 1000000, None, 30 * 86400),
                ("tokens", 499000, 500000, 13, 60),
            },
        ),
        (TOGETHER, {("requests", 4, 10, 0.075, 60), ("tokens", 20, 100, 0.075, 60)}),
        (OPENROUTER, {("requests", 0, 20, 31, 60)}),
        (FIREWORKS, {("prompt", 50000, 60000, None, 60), ("answer", 5000, 6000, None, 60)}),
        (
            ANTHROPIC,
            {
                ("requests", 3999, 4000, 2, 60),
                ("prompt", 399000, 400000, 11, 60),
                ("answer", 79000, 80000, 1, 60),
            },
        ),
        (IETF, {("requests", 7, 100, 52, 60)}),
        ({"content-type": "application/json", "x-request-id": "r"}, set()),
        ({"x-ratelimit-limit-requests": "600", "x-ratelimit-reset-requests": "1s"}, set()),
    ],
    ids=[
        "openai", "groq", "azure", "cerebras", "mistral", "together", "openrouter", "fireworks", "anthropic",
        "ietf", "none", "no remaining",
    ],
)  # fmt: skip
def test_headers_of_hosts(headers: dict[str, str], expected: set[tuple[object, ...]]) -> None:
    reader = RateLimits()
    found = reader.read(headers, lambda: NOW)

    assert {(one.unit, one.remaining, one.limit, one.reset, one.span) for one in found} == expected
    assert reader.read(headers, lambda: NOW) == found  # and so by the headers that are remembered


def one(**changed: str) -> list[Reading]:
    headers = {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "5",
        "x-ratelimit-reset-requests": "1.5s",
    }
    for name, value in changed.items():
        headers[f"x-ratelimit-{name}-requests"] = value
    return RateLimits().read(headers)


@pytest.mark.parametrize("value", ["-1", "", "unlimited", "10, 10;window=60", "nan", "inf"])
def test_what_cannot_be_read_says_nothing(value: str) -> None:
    assert one(remaining=value) == []
    assert [reading.limit for reading in one(limit=value)] == [None]


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("825ms", 0.825),
        ("7.66s", 7.66),
        ("12s", 13.0),
        ("6m0s", 360.0),
        ("2m59.56s", 179.56),
        ("1h", 3600.0),
        ("30", 31.0),
        ("30.25", 30.25),
        ("0", None),
        ("soon", None),
        ("tuesdays", None),
        ("xms", None),
        ("2026-11-21T12:00:10Z", None),  # nobody told what time it is
        ("2026-11-21T12:00:10", None),
        ("Sat, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_resets_are_rounded_up(reset: str, seconds: float | None) -> None:
    assert [reading.reset for reading in one(reset=reset)] == [
        None if seconds is None else pytest.approx(seconds)
    ]


def test_a_host_that_changes_its_headers_is_followed() -> None:
    reader = RateLimits()
    for number in range(40):
        name = f"x-limit-{number}"
        assert len(reader.read({**OPENAI, name: "1"})) == 2
    assert len(reader.read(GROQ)) == 1


@given(st.dictionaries(st.sampled_from(sorted({**OPENAI, **ANTHROPIC, **MISTRAL})), st.text(max_size=12)))
def test_no_header_breaks_it(headers: dict[str, str]) -> None:
    for reading in RateLimits().read(headers, lambda: NOW):
        assert reading.remaining >= 0
        assert reading.reset is None or reading.reset >= 0
