"""The simulator's llama.cpp is like the real one: the same fields in the same places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.local_model

HI = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}
TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
THOUGHT = Reply(text="Hello there", reasoning="Let us look")
CALL = Reply(reasoning="Let us look", tool_calls=[{"name": "now"}])


@pytest.fixture(scope="module")
def simulated() -> Iterator[str]:
    with Simulator({"tiny": [THOUGHT], "caller": [CALL]}, quirks="llama-cpp").serving() as simulator:
        yield simulator.url


def post(url: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{url}/chat/completions", json=body)


def events(response: httpx.Response) -> list[Any]:
    data = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    return [json.loads(event) for event in data]


def shape(value: Any) -> Any:
    """Names and kinds of everything in a JSON value, whatever is in its texts and numbers."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def contained(small: Any, large: Any) -> bool:
    """Whether a shape has nothing that the other lacks."""
    if isinstance(small, dict) and isinstance(large, dict):
        return all(name in large and contained(part, large[name]) for name, part in small.items())
    if isinstance(small, list) and isinstance(large, list):
        return len(small) == len(large) and all(map(contained, small, large))
    return bool(small == large)


def without_logprobs(answer: Any) -> Any:
    """llama.cpp leaves the field out where nobody asked; the simulator says null, as OpenAI does."""
    for choice in answer["choices"]:
        choice.pop("logprobs", None)
    return answer


@pytest.mark.parametrize("extra", [{}, {"tools": [TOOL]}], ids=["text", "call"])
def test_whole_answers_are_alike(large_server: str, simulated: str, extra: dict[str, Any]) -> None:
    real = post(f"{large_server}/v1", {**HI, **extra}).json()
    model = "caller" if extra else "tiny"
    fake = without_logprobs(post(simulated, {**HI, "model": model, **extra}).json())
    assert contained(shape(fake), shape(real)), (shape(fake), shape(real))


def test_streams_are_alike(large_server: str, simulated: str) -> None:
    body = {**HI, "stream": True, "stream_options": {"include_usage": True}}
    real, fake = events(post(f"{large_server}/v1", body)), events(post(simulated, body))
    for place in (0, 1, -3, -2, -1):
        assert contained(shape(without_logprobs(fake[place])), shape(real[place])), (fake[place], real[place])


def test_refusals_are_alike(locked_server: str) -> None:
    with Simulator(quirks="llama-cpp", api_key="right").serving() as simulator:
        real, fake = post(f"{locked_server}/v1", HI), post(simulator.url, HI)
    assert (real.status_code, shape(real.json())) == (fake.status_code, shape(fake.json()))
    assert real.json()["error"]["type"] == fake.json()["error"]["type"]


def test_bad_requests_are_alike(large_server: str, simulated: str) -> None:
    real, fake = post(f"{large_server}/v1", {"model": "tiny"}), post(simulated, {"model": "tiny"})
    assert real.status_code == fake.status_code == 400
    assert real.json()["error"]["type"] == fake.json()["error"]["type"]
