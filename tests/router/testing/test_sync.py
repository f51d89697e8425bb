"""The simulator for code that is not async."""

from __future__ import annotations

import threading

import httpx
import pytest

from turnout.testing import Reply, Simulator


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_serves_from_a_thread_that_ends_with_the_context(backend: str) -> None:
    threads = threading.active_count()
    with Simulator({"m": [Reply(text="hello")]}).serving(backend) as simulator:
        response = httpx.post(f"{simulator.url}/chat/completions", json={"model": "m", "messages": []})
        assert response.json()["choices"][0]["message"]["content"] == "hello"
        assert simulator.requests[0].model == "m"
    assert threading.active_count() == threads


def test_an_error_inside_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError), Simulator().serving():
        raise KeyError("mine")


def test_the_fixture_is_there_for_everyone(turnout_simulator: Simulator) -> None:
    turnout_simulator.script("m", Reply(text="scripted"))
    url = f"{turnout_simulator.url}/chat/completions"
    answers = [
        httpx.post(url, json={"model": model, "messages": [{"role": "user", "content": "hi"}]}).json()
        for model in ("m", "other")
    ]
    assert [answer["choices"][0]["message"]["content"] for answer in answers] == ["scripted", "hi"]
    assert [request.model for request in turnout_simulator.requests] == ["m", "other"]


@pytest.mark.anyio
async def test_the_fixture_serves_async_tests_too(turnout_simulator: Simulator) -> None:
    async with httpx.AsyncClient(base_url=turnout_simulator.url) as client:
        assert (await client.get("/models")).json() == {"object": "list", "data": []}
