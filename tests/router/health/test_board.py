"""What a board keeps, hands on to the settings that follow, and lets go of."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.config.settings import Settings
from turnout.health import board as module
from turnout.health.board import Board
from turnout.health.standing import Standing


def settings(**provider: Any) -> Settings:
    """Settings with one provider `p`."""
    said = {"dialect": "openai", "base_url": "https://llm.example/v1", **provider}
    return Settings.model_validate({"providers": {"p": said}})


def keys_of(standing: Standing) -> list[Any]:
    assert standing.keys is not None
    return list(standing.keys.keys)


def test_a_target_has_one_standing_for_as_long_as_its_settings_stay() -> None:
    board, said = Board(), settings(breaker=True, limits={"concurrency": 2})
    known = board.standing("p", "x", said)
    assert board.standing("p", "x", said) is known
    assert board.handed_on(said).standing("p", "x", said) is known
    other = board.standing("p", "y", said)
    assert other.breaker is not known.breaker
    assert other.turns is known.turns
    assert board.standing("p", "x", settings(breaker={"failures": 2})) is not known


def test_models_share_what_is_known_of_a_key_but_for_their_limits() -> None:
    board, said = Board(), settings(api_keys=["one", "two"])
    here, there = keys_of(board.standing("p", "x", said)), keys_of(board.standing("p", "y", said))
    for one, other in zip(here, there, strict=True):
        assert one.isolation is other.isolation
        assert one.isolation_here is not other.isolation_here
        assert one.gate is not other.gate


def test_a_key_keeps_its_state_wherever_it_stands_in_the_list() -> None:
    first, then = settings(api_keys=["one", "two"]), settings(api_keys=["three", {"key": "two", "weight": 5}])
    board = Board()
    known = keys_of(board.standing("p", "x", first))[1]
    moved = keys_of(board.handed_on(then).standing("p", "x", then))[1]
    assert moved.isolation is known.isolation
    assert moved.gate is known.gate
    assert (moved.place, moved.weight) == (2, 5)


def test_a_key_at_another_address_is_another_key() -> None:
    first = settings(api_keys=["one", "two"])
    then = settings(api_keys=["one", "two"], base_url="https://other.example/v1")
    board = Board()
    known = keys_of(board.standing("p", "x", first))[0]
    assert keys_of(board.handed_on(then).standing("p", "x", then))[0].isolation is not known.isolation


def test_with_several_keys_the_headers_of_one_do_not_limit_the_others() -> None:
    board, limits = Board(), {"requests_per_minute": 60}
    several = board.standing("p", "x", settings(api_keys=["one", "two"], limits=limits)).limiter
    single = board.standing("p", "x", settings(api_keys=["one"], limits=limits)).limiter
    assert several is not None
    assert single is not None
    assert (several.settings.adaptive, single.settings.adaptive) == (False, True)
    assert several.settings.requests_per_minute == 60
    alone = board.standing("p", "y", settings(api_keys=["one", "two"], limits={"concurrency": 2}))
    assert alone.limiter is None


def test_nothing_is_kept_of_keys_that_are_gone() -> None:
    first, then = settings(api_keys=["one", "two"]), settings(api_keys=["two", "three"])
    board = Board()
    board.standing("p", "x", first)
    held = {getattr(name[2], "get_secret_value", str)() for name in board.handed_on(then)._parts if name[2:]}
    assert "two" in held
    assert "one" not in held


def test_the_board_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 10)
    board, said = Board(), settings(breaker=True)
    known = board.standing("p", "often", said)
    for number in range(100):
        board.standing("p", f"m{number}", said)
        assert board.standing("p", "often", said) is known
    assert len(board._parts) == 10
