"""Targets that are there in vain: what a route allows must get its calls to all of them."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.config.loading import parse_settings
from turnout.promises import plans_of
from turnout.reachability import unreachable

PROVIDER = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}


def in_vain(route: dict[str, Any], **defaults: Any) -> list[str]:
    settings = parse_settings(
        {"providers": {"a": PROVIDER}, "routes": {"r": route}, "defaults": defaults}, env={}
    )
    return [str(found) for plan in plans_of(settings, {}) for found in unreachable(plan)]


@pytest.mark.parametrize(
    "route",
    [
        {"chain": ["a/1", "a/2", "a/3"]},
        {"chain": ["a/1", "a/2"], "max_attempts": 2, "retry": {"attempts": 9}},
        {"chain": ["a/1"], "fallback_on": [], "max_attempts": 1},
        {"chain": ["a/1", "a/2"], "deadline": "30s", "timeouts": {"first_token": "10m"}},
        {"chain": [f"a/{number}" for number in range(9)], "deadline": "60s"},
        {"chain": ["a/1", "a/2"], "deadline": "2s", "timeouts": {"attempt": "1s"}},
    ],
)
def test_most_chains_are_walked_to_their_end(route: dict[str, Any]) -> None:
    assert in_vain(route) == []


def test_targets_behind_the_last_attempt() -> None:
    assert in_vain({"chain": ["a/1", "a/2", "a/3", "a/4"], "max_attempts": 2}) == [
        "route r: a/3 can never be reached: max_attempts is 2, and 2 targets stand before it; raise it",
        "route r: a/4 can never be reached: max_attempts is 2, and 3 targets stand before it; raise it",
    ]


def test_targets_behind_errors_that_lead_nowhere() -> None:
    [found] = in_vain({"chain": ["a/1", "a/2"]}, fallback_on=[])
    assert found.startswith("route r: a/2 can never be reached: fallback_on is empty")


def test_targets_without_time_enough() -> None:
    [found] = in_vain({"chain": ["a/1", "a/2"], "deadline": "200ms", "retry": {"attempts": 1}})
    assert "may use up all but 0.067 s of the deadline of 0.2 s" in found
    assert in_vain({"chain": ["a/1", "a/2"], "deadline": "200ms", "timeouts": {"attempt": "40ms"}}) == []


def test_any_member_of_a_pool_may_come_first() -> None:
    pool = {"pool": ["a/1", "a/2", "a/3"], "strategy": "weighted"}
    assert in_vain({"chain": [pool], "max_attempts": 1}) == []
    [found] = in_vain({"chain": [pool, "a/4"], "max_attempts": 3})
    assert found.startswith(
        "route r: a/4 can never be reached: max_attempts is 3, and 3 targets stand before"
    )
