"""What answers teach of how long prompts and answers are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout import ChatCompletion
from turnout.estimating import learn_from, prompt_tokens
from turnout.health.calibration import LEAST, MOST, Calibration
from turnout.providers.chat import Usage


def test_nothing_is_known_at_first() -> None:
    calibration = Calibration()
    assert calibration.factor == 1.0
    assert calibration.least is None
    assert calibration.prompt(100) == 101
    assert calibration.answer == 256


def test_the_factor_follows_what_is_counted() -> None:
    calibration = Calibration()
    for _ in range(50):
        calibration.observe(1000, 1500)
    assert calibration.factor == pytest.approx(1.5, rel=0.01)
    assert calibration.least == 1.5
    for _ in range(200):
        calibration.observe(1000, 700)
    assert calibration.factor == pytest.approx(0.7, rel=0.01)


@given(st.lists(st.tuples(st.integers(-5, 10_000), st.integers(-5, 100_000))))
def test_it_keeps_within_bounds(answers: list[tuple[int, int]]) -> None:
    calibration = Calibration()
    for estimated, counted in answers:
        calibration.observe(estimated, counted)
        assert LEAST <= calibration.factor <= MOST
        assert calibration.least is None or LEAST <= calibration.least <= MOST
        assert calibration.prompt(1000) <= 1000 * MOST + 1


def test_short_prompts_say_nothing_of_long_ones() -> None:
    calibration = Calibration()
    for _ in range(50):
        calibration.observe(10, 600)  # a host that adds a page of its own to everything
    assert calibration.least is None


def test_the_leanest_of_late_counts() -> None:
    calibration = Calibration()
    for ratio in (1.2, 1.3, 0.9, 1.2, 1.3, 1.4, 1.2, 1.3):
        calibration.observe(1000, int(1000 * ratio))
    assert calibration.least == pytest.approx(0.9, rel=0.05)
    for _ in range(300):
        calibration.observe(1000, 1300)
    assert calibration.least == pytest.approx(1.3, rel=0.01)


def test_guesses_are_rather_too_high() -> None:
    calibration = Calibration()
    for number in range(200):
        calibration.answered(50 + number % 2 * 100)
        calibration.observe(100, 90 + number % 2 * 20)
    assert 190 <= calibration.answer <= 210
    assert 110 <= calibration.prompt(100) <= 125


def test_once_enough_is_known_one_answer_in_eight_is_learned_from() -> None:
    calibration = Calibration()
    for _ in range(64):
        calibration.learn(100, 100, 50)
    known = calibration.factor, calibration.answer
    for _ in range(7):
        calibration.learn(100, 300, 500)
        assert (calibration.factor, calibration.answer) == known
    calibration.learn(100, 300, 500)
    assert calibration.factor > known[0]
    assert calibration.answer > known[1]


def test_long_prompts_are_looked_at_until_enough_is_known() -> None:
    calibration = Calibration()
    request = ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "word " * 1000}]})
    usage = Usage(prompt_tokens=1000, completion_tokens=1)
    assert not calibration.wants(511)

    for _ in range(100):
        learn_from(request, usage, calibration)

    assert calibration.factor == pytest.approx(1000 / prompt_tokens(request), rel=0.001)
    assert sum(calibration.wants(1000) for _ in range(160)) == 10


def test_pictures_teach_nothing() -> None:
    calibration = Calibration()
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    message = {"role": "user", "content": [{"type": "text", "text": "Look"}, picture]}
    request = ChatCompletion.parse({"model": "m", "messages": [message]})
    learn_from(request, Usage(prompt_tokens=5000, completion_tokens=1), calibration)
    assert calibration.factor == 1.0
