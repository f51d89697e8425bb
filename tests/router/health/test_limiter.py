"""What a limiter believes of a provider, and what it shares between models."""

from __future__ import annotations

from typing import Any

from turnout.config.policies import Limits
from turnout.health.limiter import Limiter, Reservation
from turnout.health.listener import SCOUTS
from turnout.health.window import Window

FULL = 6000


def headers(
    remaining: float, reset: str | None = "60.5s", unit: str = "tokens", limit: int = FULL
) -> dict[str, str]:
    told = {f"x-ratelimit-limit-{unit}": str(limit), f"x-ratelimit-remaining-{unit}": str(remaining)}
    return told if reset is None else {**told, f"x-ratelimit-reset-{unit}": reset}


def taken(limiter: Limiter, now: float, prompt: int = 100, answer: int = 0) -> Reservation:
    one = Reservation(limiter, prompt, answer)
    if not one.take_at_once(now):
        seconds = one.take(now)
        assert seconds == 0, f"{seconds} s to wait"
    return one


def wait(limiter: Limiter, now: float, prompt: int = 100, answer: int = 0) -> float:
    """Seconds that somebody would have to wait; there is no room for certain."""
    one = Reservation(limiter, prompt, answer)
    assert not one.take_at_once(now)
    seconds = one.take(now)
    assert seconds > 0
    return seconds


def left(limiter: Limiter) -> dict[str, float]:
    assert limiter.listener is not None
    return limiter.listener.left


def learned(remaining: float, reset: str | None = "60.5s", now: float = 100.0, **said: Any) -> Limiter:
    """A limiter that has heard so much."""
    limiter = Limiter(Limits(**said))
    one = taken(limiter, now)
    one.heard(now, headers(remaining, reset))
    one.settle(now, 100, 0)
    return limiter


def test_what_is_told_holds_until_its_reset() -> None:
    limiter = learned(250)
    taken(limiter, 101.0)
    taken(limiter, 101.0)
    assert wait(limiter, 101.0) == 59.5
    assert limiter.soonest(101.0, 100) == 0  # those two may not use it after all
    assert limiter.soonest(101.0, 251) == 59.5
    taken(limiter, 160.5, FULL - 200)


def test_others_who_use_the_same_account_are_noticed() -> None:
    limiter = learned(5000)
    one = taken(limiter, 101.0)
    one.heard(102.0, headers(50, "58.5s"))
    assert wait(limiter, 102.0) == 58.5


def test_a_bucket_is_known_by_its_reset_that_moves_on() -> None:
    limiter = learned(5000, "10.000s")
    one = taken(limiter, 101.0, 2000)
    one.heard(101.5, headers(3000, "30.000s"))
    one.settle(101.5, 2000, 0)
    two = taken(limiter, 101.5, 3000)
    two.heard(102.0, headers(0, "60.000s"))
    two.settle(102.0, 3000, 0)
    assert 0.99 < wait(limiter, 102.0) <= 1.01  # a hundred tokens a second come back
    taken(limiter, 103.1)


def test_a_window_without_a_reset_lasts_a_minute() -> None:
    limiter = learned(0, None)
    assert wait(limiter, 101.0) == 59.0
    taken(limiter, 160.0, FULL)


def test_a_streams_answer_is_held_until_it_has_ended() -> None:
    limiter = Limiter(Limits())
    one = taken(limiter, 100.0, 100, 400)
    one.heard(100.5, headers(1000))
    assert limiter.listener is not None
    assert limiter.listener.ahead == (0, 0, 400)
    assert wait(limiter, 101.0, 700) > 0
    one.settle(102.0, 100, 50)
    taken(limiter, 102.0, 700)


def test_what_a_stream_did_not_need_comes_back() -> None:
    limiter = learned(1000)
    stream, other = taken(limiter, 101.0, 100, 400), taken(limiter, 101.0)
    stream.heard(102.0, {})
    other.heard(102.5, headers(890, "58.000s"))
    stream.settle(103.0, 100, 10)
    assert left(limiter) == {"x-ratelimit-remaining-tokens": 790.0}  # 890 less what others may have taken


def test_headers_of_answers_that_were_overtaken_add_nothing() -> None:
    limiter = learned(1000)
    first, second, third = (taken(limiter, 101.0 + number / 10) for number in range(3))
    third.heard(102.0, headers(700))
    first.heard(102.1, headers(900))
    second.heard(102.2, headers(800))
    assert left(limiter) == {"x-ratelimit-remaining-tokens": 700.0}


def test_answers_that_are_counted_as_they_are_written() -> None:
    limiter = Limiter(Limits())
    told = {
        "anthropic-ratelimit-output-tokens-limit": "1000",
        "anthropic-ratelimit-output-tokens-remaining": "900",
    }
    one = taken(limiter, 100.0, 10, 300)
    one.heard(100.5, told)
    one.settle(105.0, 10, 250)
    assert left(limiter) == {"anthropic-ratelimit-output-tokens-remaining": 650.0}


def test_an_attempt_of_which_nothing_was_heard_counts() -> None:
    limiter = learned(1000)
    taken(limiter, 101.0, 300).settle(102.0)
    assert left(limiter) == {"x-ratelimit-remaining-tokens": 700.0}
    taken(limiter, 102.0, 300).release(103.0)
    assert left(limiter) == {"x-ratelimit-remaining-tokens": 700.0}


def test_what_an_old_header_says_after_a_reset_is_left_out() -> None:
    limiter = learned(200, "5.500s")
    old = taken(limiter, 104.0)
    new = taken(limiter, 106.0)
    old.heard(106.5, headers(100, "1.500s"))  # it was let in before all of it came back
    assert left(limiter) == {"x-ratelimit-remaining-tokens": FULL - 100.0}
    new.heard(107.0, headers(FULL - 100, "59.500s"))
    assert left(limiter) == {"x-ratelimit-remaining-tokens": FULL - 200.0}


def test_after_a_refusal_two_go_ahead() -> None:
    limiter = learned(5000)
    limiter.refused(101.0, 4.0)
    assert wait(limiter, 102.0) == 3.0
    assert limiter.soonest(102.0) == 3.0
    one, _ = taken(limiter, 105.0), taken(limiter, 105.0)
    assert wait(limiter, 105.0) == 1.0
    one.heard(105.5, headers(300))
    taken(limiter, 105.5)


def test_a_refusal_without_a_time_is_kept_for_a_second() -> None:
    limiter = learned(5000)
    limiter.refused(101.0, None)
    assert wait(limiter, 101.0) == 1.0
    deaf = Limiter(Limits(requests_per_minute=5, adaptive=False))
    deaf.refused(101.0, None)
    taken(deaf, 101.0)


def test_scouts_go_ahead_and_the_others_follow() -> None:
    limiter = Limiter(Limits())
    scouts = [taken(limiter, 100.0) for _ in range(SCOUTS)]
    assert wait(limiter, 100.0) == 1.0
    scouts[0].release(100.1)
    scouts[0] = taken(limiter, 100.1)
    scouts[1].heard(100.2, {"content-type": "application/json"})  # this provider tells nothing
    for _ in range(100):
        taken(limiter, 100.2)
    assert not limiter.counts_tokens


def test_tokens_are_counted_from_when_they_are_told() -> None:
    limiter = Limiter(Limits())
    one = taken(limiter, 100.0)
    one.heard(100.0, headers(59, unit="requests", limit=60))
    assert not limiter.counts_tokens
    two = taken(limiter, 101.0, 0)
    two.heard(101.0, {**headers(58, unit="requests", limit=60), **headers(3000)})
    assert limiter.counts_tokens
    three = taken(limiter, 102.0)
    three.heard(102.0, headers(2900))  # and not a word of requests this time
    assert left(limiter)["x-ratelimit-remaining-requests"] == 57


def test_nobody_overtakes_those_who_wait() -> None:
    limiter = Limiter(Limits(requests_per_minute=10, adaptive=False))
    place = limiter.line.join()
    one = Reservation(limiter, 1, 1)
    assert not one.take_at_once(100.0)
    assert one.take(100.0) == 0  # for the first of them
    place.leave()
    assert Reservation(limiter, 1, 1).take_at_once(100.0)


def test_where_nothing_is_limited_there_is_always_room() -> None:
    one = Reservation(None, 10**9, 0)
    assert one.take_at_once(100.0)
    assert (one.take(100.0), one.soonest(100.0)) == (0, 0)
    one.heard(100.0, {})
    one.settle(100.0)
    one.release(100.0)


def test_models_share_their_providers_numbers() -> None:
    settings = Limits(requests_per_minute=3)
    window = Window(3, None)
    one, two = Limiter(settings, window), Limiter(settings, window)
    taken(one, 100.0)
    taken(two, 100.0)
    taken(two, 100.0).release(100.0)
    taken(one, 100.0)
    assert wait(two, 100.0) > 59
    assert one.line is two.line


def heard(limiter: Limiter, now: float, told: dict[str, str]) -> None:
    """An attempt of a hundred tokens that came back at once."""
    one = taken(limiter, now)
    one.heard(now, told)
    one.settle(now, 100, 0)


def test_while_plenty_is_left_of_most_answers_only_that_is_looked_at() -> None:
    limiter = learned(5900)
    heard(limiter, 100.2, headers(5800, "what nobody reads"))
    heard(limiter, 100.4, headers(5990, "nor this"))
    assert left(limiter) == {"x-ratelimit-remaining-tokens": 5700.0}  # no header is believed for the better
    heard(limiter, 101.0, headers(5990))
    assert left(limiter) == {"x-ratelimit-remaining-tokens": 5990.0}


def test_a_header_that_tells_of_less_than_is_known_is_believed_at_once() -> None:
    limiter = learned(5900)
    heard(limiter, 100.2, headers(5400))  # somebody else uses the same account
    assert left(limiter) == {"x-ratelimit-remaining-tokens": 5400.0}
    heard(limiter, 100.4, headers(200))
    assert wait(limiter, 100.5, 201) > 0


def test_an_allowance_that_is_told_for_the_first_time_is_not_overlooked() -> None:
    limiter = learned(5900)
    heard(limiter, 100.2, {**headers(5800), **headers(0, unit="requests", limit=60)})
    assert wait(limiter, 100.3) > 0


def test_what_was_only_looked_at_is_not_forgotten() -> None:
    """Neither by who asks for room, nor where the reset comes before anything else is read."""
    limiter = learned(5900, "1.500s")
    for _ in range(20):
        heard(limiter, 100.2, headers(5900))
    taken(limiter, 100.3, 3900)
    assert wait(limiter, 100.3) > 0
    assert wait(limiter, 101.6, FULL - 1900) > 0  # it is not known whether the reset knows of them
