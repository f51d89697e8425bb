"""An answer begun on one wire and finished on another, cut wherever it may be."""

from __future__ import annotations

from typing import Any

import pytest

from turnout import ChatChunk, Router
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

TEXT = 'Well —  first,\n\n  "point" one 🙂 and\ttwo;\nthen   the end. '
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-central-1"}

WIRES: dict[str, tuple[dict[str, Any], str, bool]] = {
    "anthropic": ({"preset": "anthropic"}, "claude-haiku-4-5", True),
    "bedrock": ({"preset": "bedrock"}, "anthropic.claude-sonnet-4-5-20250929-v1:0", True),
    "ollama": ({"preset": "ollama-native"}, "llama3.1:8b", True),
    "vllm": ({"preset": "vllm"}, "some-model", False),
    "llama-cpp": ({"preset": "llama-cpp"}, "some-model", False),
    "groq": ({"preset": "groq"}, "llama-3.3-70b-versatile", False),
    "mistral": ({"preset": "mistral"}, "mistral-large-latest", False),
    "deepseek": ({"preset": "deepseek"}, "deepseek-v4-pro", False),
    "qwen": ({"preset": "dashscope"}, "qwen3-max", False),
}
"""Settings of the provider, the model, and whether its paths bring their own version."""
HOSTS = {"vllm", "llama-cpp", "groq", "mistral", "deepseek", "qwen"}


def settings(
    simulator: Simulator, name: str, how: str = "continue", *, turned: bool = False
) -> dict[str, Any]:
    provider, model, rooted = WIRES[name]
    url = simulator.root if rooted else simulator.url
    chain = ["first/m", f"second/{model}"]
    return {
        "providers": {
            "first": {
                "dialect": "openai", "base_url": simulator.url, "api_key": "k",
                "quirks": {"prefill": {}}, "models": {"*": {"prefill": True}},
            },
            "second": {**provider, "base_url": url, **({} if name == "bedrock" else {"api_key": "k"})},
        },
        "routes": {"r": {"chain": chain[::-1] if turned else chain, "on_interrupt": how}},
        "defaults": {"retry": {"attempts": 1}},
    }  # fmt: skip


async def answer(router: Router) -> tuple[str, Any]:
    """The text as the caller puts it together, and the stream."""
    chunks: list[ChatChunk] = []
    text = ""
    async with router.stream(model="r", messages=[{"role": "user", "content": "Go"}]) as stream:
        async for chunk in stream:
            chunks.append(chunk)
            text = "" if chunk.reset else text + chunk.text
    assert stream.state == "completed"
    assert stream.response.text == text
    assert stream.response.finish_reason == "stop"
    return text, stream


@pytest.mark.parametrize("name", WIRES)
async def test_what_one_wire_began_another_finishes(name: str) -> None:
    model = WIRES[name][1]
    goes_on = "echo" if name == "mistral" else "rest"
    host = name if name in HOSTS else None
    scripts = {model: [Reply(text=TEXT, goes_on=goes_on, quirks=host)]}  # type: ignore[arg-type]
    async with Simulator(scripts) as simulator, Router(settings(simulator, name), env=ENVIRONMENT) as router:
        for cut in (2, 3, 6, 7, 10, 13) if name == "anthropic" else (3, 8, 13):
            simulator.script("m", Reply(text=TEXT, cut_after_events=cut))
            text, stream = await answer(router)
            assert text == TEXT
            assert (stream.provider, stream.response.model) == ("second", model)
            assert [attempt.outcome for attempt in stream.trace.attempts] == ["failed", "ok"]
            assert stream.response.usage is not None


@pytest.mark.parametrize("name", ["anthropic", "bedrock", "ollama"])
async def test_what_another_wire_began_is_finished(name: str) -> None:
    model = WIRES[name][1]
    scripts = {"m": [Reply(text=TEXT, goes_on="rest")]}
    async with Simulator(scripts) as simulator:
        async with Router(settings(simulator, name, turned=True), env=ENVIRONMENT) as router:
            cuts = 0
            for cut in range(1, 17, 2):
                simulator.script(model, Reply(text=TEXT, cut_after_events=cut))
                text, stream = await answer(router)
                assert text == TEXT
                cuts += stream.provider == "first" and len(simulator.requests[-1].body["messages"]) == 2
            assert cuts > 3


@pytest.mark.parametrize("how", ["restart", "continue"])
async def test_the_place_of_the_cut_does_not_matter(how: str) -> None:
    scripts = {"claude-haiku-4-5": [Reply(text=TEXT, goes_on="rest")]}
    async with Simulator(scripts) as simulator:
        async with Router(settings(simulator, "anthropic", how), env=ENVIRONMENT) as router:
            for place in range(200, 3400, 131):
                simulator.script("m", Reply(text=TEXT, cut_at_byte=place))
                text, stream = await answer(router)
                assert text == TEXT
                assert stream.trace.attempts[-1].outcome in ("ok", "failed")
