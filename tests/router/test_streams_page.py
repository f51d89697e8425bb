"""What docs/streams.md shows does work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from turnout import Router
from turnout.config.loading import parse_settings
from turnout.config.policies import SlowStream
from turnout.providers.catalogue import catalogue
from turnout.testing import Reply, Simulator

PAGE = (Path(__file__).parents[2] / "docs" / "streams.md").read_text("utf-8")
KEYS = {"ANTHROPIC_API_KEY": "k", "MISTRAL_API_KEY": "k"}
TEXT = "It was a dark and stormy night."
HELLO = [{"role": "user", "content": "Tell me a story"}]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def settings(page: str, simulator: Simulator) -> dict[str, Any]:
    """A block's settings, whose providers are the simulator."""
    read: dict[str, Any] = yaml.safe_load(page)
    for name, provider in read["providers"].items():
        provider["base_url"] = simulator.root if name == "anthropic" else simulator.url
    return read


async def run(simulator: Simulator, page: str) -> dict[str, Any]:
    """The page's Python, with what it names."""
    lines = "".join(f"    {line}\n" for line in blocks("python")[0].splitlines())
    names: dict[str, Any] = {}
    exec(f"async def example(router, messages):\n{lines}    return text, stream\n", names)
    async with Router(settings(page, simulator), env=KEYS) as router:
        text, stream = await names["example"](router, HELLO)
    return {"text": text, "stream": stream}


@pytest.mark.parametrize("page", blocks("yaml"))
def test_the_settings_are_taken(page: str) -> None:
    parse_settings(page, env=KEYS, presets=catalogue().keys())


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["restart", "continue"])
async def test_a_broken_stream_goes_on(how: str) -> None:
    page = blocks("yaml")[0].replace("on_interrupt: continue", f"on_interrupt: {how}")
    scripts = {
        "claude-haiku-4-5": [Reply(text=TEXT, cut_after_events=6)],
        "mistral-large-latest": [Reply(text=TEXT, goes_on="echo", quirks="mistral", cut_after_events=8)],
        "qwen3-8b": [Reply(text=TEXT, goes_on="rest", quirks="vllm")],
    }
    async with Simulator(scripts) as simulator:
        found = await run(simulator, page)
    assert found["text"] == TEXT
    outcomes = [attempt.outcome for attempt in found["stream"].trace.attempts]
    assert outcomes == ["failed", "failed", "ok"]


@pytest.mark.anyio
async def test_a_house_can_say_that_it_goes_on() -> None:
    scripts = {
        "qwen3-8b": [Reply(text=TEXT, cut_after_events=4)],
        "qwen3-32b": [Reply(text=TEXT, goes_on="rest")],
    }
    async with Simulator(scripts) as simulator:
        found = await run(simulator, blocks("yaml")[1])
        assert simulator.requests[1].body["continue_final_message"] is True
    assert found["text"] == TEXT


def test_the_floor_is_that_of_the_settings() -> None:
    floor = SlowStream()
    words = f"stands for {floor.tokens_per_second:g} token a second over {floor.window:g} seconds"
    assert words in " ".join(PAGE.split())


def test_every_host_of_the_table_has_a_row() -> None:
    hosts = ("anthropic", "bedrock", "mistral", "deepseek", "moonshot", "dashscope", "groq", "vllm", "sglang",
             "llama-cpp", "ollama", "ollama-native", "vertex-anthropic")  # fmt: skip
    assert all(catalogue()[host].prefill is not None for host in hosts)
    without_tools = {name for name in hosts if (row := catalogue()[name].prefill) and not row.tools}
    assert without_tools == {"mistral", "deepseek", "moonshot", "dashscope", "groq"}
    assert PAGE.count("not with tools") == len(without_tools)
