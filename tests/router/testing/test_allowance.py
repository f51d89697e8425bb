"""The simulator's allowance: enforced to the request and to the token, and told as hosts tell it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.testing import Allowance, Reply, Simulator
from turnout.testing.allowance import Till, tokens_of

ASKED = {"model": "m", "messages": [{"role": "user", "content": "three words here"}]}


def post(url: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    return httpx.post(url, json=body, headers={name.replace("_", "-"): one for name, one in headers.items()})


def test_it_is_told_and_enforced() -> None:
    with Simulator(allowance=Allowance(requests=2, tokens=100)).serving() as simulator:
        address = f"{simulator.url}/chat/completions"
        first, second, third = (post(address, ASKED) for _ in range(3))

    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert first.headers["x-ratelimit-remaining-tokens"] == "93"  # 4 of the prompt, 3 of the answer
    assert first.headers["x-ratelimit-reset-requests"] == "30.000s"
    assert third.headers["retry-after"] == "30"
    assert "try again in" in third.json()["error"]["message"]
    assert simulator.till is not None
    assert (simulator.till.admitted, simulator.till.refused) == (2, 1)
    assert (simulator.till.total("requests"), simulator.till.total("tokens")) == (2, 14)


def test_a_window_comes_back_all_at_once() -> None:
    till = Till(Allowance(requests=2, per=60.0, refill="window"))
    verdicts = [till.judge({}, 5, now) for now in (10.0, 20.0, 30.0, 69.9, 70.0)]

    assert [verdict.refused is None for verdict in verdicts] == [True, True, False, False, True]
    assert verdicts[1].headers["x-ratelimit-reset-requests"] == "50.000s"
    assert till.used("requests", 70.0) == 3 / 4
    assert till.used("tokens", 70.0) == 0


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 60)), max_size=40), st.booleans())
def test_no_more_is_let_in_than_there_was(steps: list[tuple[float, int]], steady: bool) -> None:
    till, now = Till(Allowance(10, 200, refill="continuous" if steady else "window")), 100.0
    for seconds, tokens in steps:
        now += seconds
        verdict = till.judge({}, tokens, now)
        wait = int(verdict.headers.get("retry-after-ms", 0)) / 1000
        assert (verdict.refused is None) == (wait == 0)
        assert till.used("requests", now) <= 1
        assert till.used("tokens", now) <= 1


def test_faults_count_as_requests_and_the_script_waits() -> None:
    models = {"m": [Reply(status=500), Reply(text="one two")]}
    with Simulator(models, allowance=Allowance(requests=2)).serving() as simulator:
        address = f"{simulator.url}/chat/completions"
        answers = [post(address, ASKED) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [500, 200, 429]
        assert simulator.till is not None
        assert simulator.till.total("requests") == 2


def test_each_wire_says_it_in_its_own_words() -> None:
    body = {**ASKED, "max_tokens": 10}
    with Simulator(allowance=Allowance(requests=1, each_key=True)).serving() as simulator:
        address = f"{simulator.root}/v1/messages"
        headers = {"anthropic_version": "2023-06-01"}
        answers = [post(address, body, x_api_key=key, **headers) for key in ("one", "one", "two")]

    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert answers[0].headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert answers[0].headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert answers[1].json()["error"]["type"] == "rate_limit_error"


def test_it_may_keep_silent() -> None:
    till = Till(Allowance(requests=1, headers=False))
    assert till.judge({}, 0, 0.0).headers == {}
    assert set(till.judge({}, 0, 0.0).headers) == {"retry-after", "retry-after-ms"}


@pytest.mark.parametrize(
    ("reply", "tokens"),
    [
        (Reply(text="one two"), 6),
        (Reply(text="one two", usage="missing"), 6),
        (Reply(text="one", usage={"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}), 11),
        (Reply(status=503), 0),
    ],
)
def test_tokens_are_those_of_the_answer(reply: Reply, tokens: int) -> None:
    from turnout.testing.quirks import quirks

    assert tokens_of(ASKED, reply, quirks("openai")) == tokens


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_example_of_the_page_runs(backend: str) -> None:
    page = Path(__file__).parents[3] / "docs" / "testing.md"
    first, *others = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    code = next(block for block in others if "test_nothing_is_refused" in block)
    names: dict[str, Any] = {}
    exec(compile(f"{first}\n{code}", str(page), "exec"), names)
    anyio.run(names["test_nothing_is_refused"], backend=backend)
