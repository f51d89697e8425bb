"""How long a server asks us to wait, in all the ways servers say it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.providers.waits import duration, server_wait

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EPOCH = int(NOON.timestamp())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1),
        ("6m0s", 360),
        ("2m13.5s", 133.5),
        ("1h2m3s", 3723),
        ("1 minute 30 seconds", 90),
        ("1 hour, 5 minutes and 2 secs", 3902),
        ("250 milliseconds", 0.25),
        ("1d", 86400),
        ("", None),
        ("soon", None),
        ("5", None),
        ("5 apples", None),
        ("about 5s", None),
        ("5s maybe", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "20"}, 20),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.25"}, 1.25),
        ({"retry-after": "3s"}, 3),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Foo, 99 Bar"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "6m0s"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12ms",
            },
            2,
        ),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "45"}, 45),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "-1"}, None),
        ({"x-ratelimit-remaining-tokens": "0"}, None),
        ({"x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "11.5"}, 11.5),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str((EPOCH + 8) * 1000)}, 8),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH + 9)}, 9),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:10Z",
            },
            10,
        ),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "4"}, 4),
    ],
)  # fmt: skip
def test_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert server_wait(headers, "", now=NOON) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 2m13s.", 133),
        ("Please try again in 1.2s. Visit the console.", 1.2),
        ("Please try again in 450ms.", 0.45),
        ("Please retry after 20 seconds.", 20),
        ("Please retry in 34.07s.", 34.07),
        ("Retry after 7", 7),
        ("Try again in about 1 minute and 5 seconds, please", 65),
        ("wait for 3 minutes", 180),
        ("Try again later.", None),
        ("We will be back in 3s", None),
    ],
)
def test_sentences(message: str, seconds: float | None) -> None:
    assert server_wait({}, message) == (None if seconds is None else pytest.approx(seconds))


def test_a_header_goes_before_a_sentence() -> None:
    assert server_wait({"retry-after": "3"}, "try again in 9s") == 3


def test_dates_count_from_the_servers_own_clock() -> None:
    headers = {"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT", "date": "Sat, 21 Nov 2026 12:00:25 GMT"}
    assert server_wait(headers, "", now=NOON) == 5
    assert server_wait(headers, "") == 5


def test_a_date_says_nothing_without_a_clock() -> None:
    assert server_wait({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, "") is None
    assert server_wait({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(EPOCH)}, "") is None


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), st.text()), st.text())
def test_no_header_and_no_message_breaks_it(headers: dict[str, str], message: str) -> None:
    wait = server_wait(
        {**headers, "x-ratelimit-remaining": "0", "x-ratelimit-reset": message}, message, now=NOON
    )
    assert wait is None or wait >= 0
